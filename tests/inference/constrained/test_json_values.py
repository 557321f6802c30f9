import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.constrained.expression import EMPTY, VOID
from scratchlm.inference.constrained.grammar import Grammar
from scratchlm.inference.constrained.json_values import (
    constant,
    integer,
    name_other_than,
    number,
    scalar,
    string,
)

BOUND = st.one_of(st.none(), st.integers(-1200, 1200), st.integers())


@given(low=BOUND, high=BOUND, more=st.lists(st.integers(-1300, 1300)))
def test_integers_are_exact(low, high, more):
    """Bounds of unlike digits, a bound of zero, a sign before zero: 9 and
    10 are neighbours, and their first digits are not."""
    node = integer(low, high)
    ends = [b + d for b in (low, high) if b is not None for d in (-1, 0, 1)]
    wanted = [
        (low is None or low <= x) and (high is None or x <= high)
        for x in [*more, *ends]
    ]
    if node is VOID:
        assert not any(wanted)
        assert low > high
        return
    grammar = Grammar(node)
    assert [grammar.accepts(str(x)) for x in [*more, *ends]] == wanted
    assert not any(map(grammar.accepts, ["", "-", "-0", "00", "01", "1.0"]))


@given(st.text(alphabet="0123456789.eE+-", max_size=7))
def test_numbers_are_those_of_json(text):
    """A zero that leads, a point without digits."""
    form = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
    accepted = Grammar(number()).accepts(text)
    assert accepted == bool(re.fullmatch(form, text))
    if accepted:
        json.loads(text)


@given(
    names=st.frozensets(st.text(alphabet='aé"\n', max_size=3), max_size=4),
    asked=st.text(alphabet='aéb"\n', max_size=4),
)
def test_a_name_is_another_one(names, asked):
    """A declared name spelled with an escape comes in by the back door."""
    grammar = Grammar(name_other_than(names))
    for name in {asked, *names}:
        text = json.dumps(name, ensure_ascii=False)
        assert grammar.accepts(text) == (name not in names)
        assert not grammar.accepts(json.dumps("é" + name))


@given(
    st.text(alphabet="abé😀", max_size=5),
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(0, 4)),
    st.sampled_from([None, "^[ab]*$", "a"]),
)
def test_lengths_count_characters(text, least, most, pattern):
    """Bytes counted in place of characters; a length forgotten beside a
    pattern."""
    node = string(least, most, pattern)
    wanted = len(text) >= least and (most is None or len(text) <= most)
    if pattern:
        wanted = wanted and bool(re.search(pattern, text))
    accepted = node is not VOID and Grammar(node).accepts(
        json.dumps(text, ensure_ascii=False)
    )
    assert accepted == wanted


def test_a_constant_is_one_text():
    """Items without commas, members without their order."""
    value = {"b": [1, 2.5, None, True], "a": 'x"\n'}
    grammar = Grammar(constant(value, EMPTY))
    assert grammar.accepts(json.dumps(value, separators=(",", ":")))
    assert scalar(3.0) == b"3"
    with pytest.raises(ValueError, match="lone surrogate"):
        scalar("\udc00")
