import json
import re

from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.constrained.characters import (
    ALL,
    LAST,
    any_json_character,
    json_characters,
    merged,
    spelled,
    utf8,
    without,
)
from scratchlm.inference.constrained.grammar import Grammar

POINTS = st.one_of(
    st.sampled_from([0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF]),
    st.sampled_from([0x10000, LAST, 0x22, 0x5C, 0x1F, 0x20]),
    st.integers(0, LAST),
)
RANGES = st.lists(st.tuples(POINTS, POINTS).map(sorted).map(tuple), max_size=3)


def holds(ranges, point):
    return any(low <= point <= high for low, high in ranges)


@given(ranges=RANGES, points=st.lists(POINTS, max_size=20))
def test_a_range_is_its_characters(ranges, points):
    """A range that crosses from two bytes to three, cut at the wrong end;
    surrogates spelled as UTF-8 does not."""
    ranges = merged(ranges)
    node = utf8(ranges)
    for point in [*points, *(p for r in ranges for p in r)]:
        text = chr(point).encode("utf-8", "surrogatepass")
        wanted = holds(ranges, point) and not 0xD800 <= point <= 0xDFFF
        found = node
        for byte in text:
            found = found.after(byte)
        assert bool(found.nullable) == wanted, hex(point)


@given(ranges=RANGES, taken=RANGES, point=POINTS)
def test_ranges_are_sets(ranges, taken, point):
    """An end that is taken with its neighbour."""
    left = without(merged(ranges), merged(taken))
    wanted = holds(ranges, point) and not holds(taken, point)
    assert holds(left, point) == wanted
    assert holds(merged([*ranges, *taken]), point) == (
        holds(ranges, point) or holds(taken, point)
    )


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_short_spelling_is_that_of_json(text):
    """An escape that json.dumps writes otherwise, so that values that
    everybody writes in one way are refused."""
    ours = b"".join(map(spelled, text))
    assert b'"' + ours + b'"' == json.dumps(text, ensure_ascii=False).encode()
    one, free = json_characters(tuple(ALL)), any_json_character()
    for character in text:
        for node in (Grammar(one), Grammar(free)):
            assert node.accepts(spelled(character))


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.booleans())
def test_an_escape_is_one_character(first, second, upper):
    """Half of a pair, which no program can write as UTF-8 afterwards; a
    pair that counts twice."""
    form = "\\u{:04X}" if upper else "\\u{:04x}"
    free = Grammar(any_json_character())
    for text in (form.format(first), form.format(first) + form.format(second)):
        value = json.loads(f'"{text}"')
        whole = len(value) == 1 and not re.search("[\ud800-\udfff]", value)
        assert free.accepts(text) == whole
