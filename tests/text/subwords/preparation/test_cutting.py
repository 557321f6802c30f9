"""Pre-tokenizers, against those of tokenizers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from scratchlm.text.subwords.preparation.cutting import cuts

RULES = [
    pre_tokenizers.Metaspace(),
    pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
    pre_tokenizers.Metaspace(prepend_scheme="never"),
    pre_tokenizers.WhitespaceSplit(),
    pre_tokenizers.Split(" ", "merged_with_previous"),
    pre_tokenizers.Split("a", "merged_with_next"),
    pre_tokenizers.Split(Regex("a+|b"), "isolated"),
    pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(prepend_scheme="first"),
        ]
    ),
]


def pieces(rule, text, first=True):
    stretches = [(text, first)]
    for step in cuts(rule):
        stretches = [s for stretch in stretches for s in step(stretch)]
    return [piece for piece, _ in stretches]


@given(st.text("ab \u2581\n\u3000", min_size=1, max_size=9))
def test_cuts_as_tokenizers_does(text):
    """A mark doubled, a word that is first though space came before it."""
    for rule in RULES:
        theirs = [piece for piece, _ in rule.pre_tokenize_str(text)]
        assert pieces(json.loads(rule.__getstate__()), text) == theirs


def test_only_the_first_stretch_gets_a_prefix():
    """A space behind every special token, under the scheme "first"."""
    rule = json.loads(RULES[1].__getstate__())
    assert pieces(rule, "a", first=False) == ["a"]
    assert pieces(None, "a") == ["a"]


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "Digits"},
        {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "Isolated",
            "invert": True,
        },
        {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "Removed",
        },
    ],
)
def test_others_are_refused(rule):
    """Ids that differ without a word."""
    with pytest.raises(ValueError, match="pre-tokenizer"):
        cuts(rule)
