import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.constrained.grammar import Grammar
from scratchlm.inference.constrained.pattern import parse_pattern, parse_search

ATOMS = st.sampled_from(
    ["a", "b", "é", ".", "[ab]", "[^a]", "[a-cé]", "\\d", "\\.", "[\\w-]",
     "\\s", "\\x41", "\\u00e9", "\\n", "(?:ab)", "[\\]x]"]
)  # fmt: skip
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}|{t[1]})"),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])
        ).map(lambda t: f"(?:{t[0]}){t[1]}"),
    ),
    max_leaves=5,
)
# Without what Python and ECMA 262 disagree on.
TEXTS = st.text(alphabet="abcé1.-]xA \n", max_size=6)


@given(source=PATTERNS, texts=st.lists(TEXTS, max_size=10))
def test_a_pattern_matches_what_re_matches(source, texts):
    """A count that binds to more than the atom before it, a class that is
    negated byte by byte."""
    whole, found = (
        Grammar(parse(source)) for parse in (parse_pattern, parse_search)
    )
    for text in texts:
        assert whole.accepts(text) == bool(re.fullmatch(source, text, re.A)), (
            text
        )
        assert found.accepts(text) == bool(re.search(source, text, re.A)), text


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("^a|b$", ["ax", "xb", "a"], ["xa", "bx"]),
        ("^ab$", ["ab"], ["xab", "abx"]),
        ("", ["", "x"], []),
        ("^$", [""], ["x"]),
    ],
)
def test_anchors_tie_to_the_ends(source, good, bad):
    """^ that holds for the first option only is read as for all."""
    grammar = Grammar(parse_search(source))
    assert [t for t in good if not grammar.accepts(t)] == []
    assert [t for t in bad if grammar.accepts(t)] == []


@pytest.mark.parametrize(
    "source",
    ["(?=a)", "(a", "a)", "[a", "[]", "*a", "a**?", "a*?", "a{2,1}", "a{x}",
     "a{9999999}", "\\b", "\\1", "\\D", "\\u12", "\\x+1", "[b-a]", "[a-\\d]",
     "[\\d-z]", "[[a]", "a^b", "a$b", "(a$)", "]", "a\\"],
)  # fmt: skip
def test_what_is_not_regular_is_refused(source):
    """A lookahead that is read as a group allows what it should exclude."""
    with pytest.raises(ValueError, match="cannot be used: at character"):
        parse_search(source)
