import pytest

from scratchlm.text.tokenizer.patterns import PATTERNS, find_pattern
from scratchlm.text.tokenizer.pre_tokenizer import (
    WHOLE,
    byte_level,
    byte_level_cuts,
    byte_level_rule,
    pattern_of,
    split_rule,
)

DIGIT = r"\p{N}"


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, r"\w+", DIGIT, r"\p{N}+", (DIGIT, "gpt2"), WHOLE]
)
def test_a_pattern_survives_its_rule(pattern):
    """A pattern written for another engine that is not known again."""
    assert pattern_of(split_rule(pattern)) == pattern
    assert byte_level_cuts(byte_level_rule(pattern, False)) == (pattern, False)


@pytest.mark.parametrize("pattern", ["gpt2", WHOLE])
def test_a_space_before_text_survives(pattern):
    """RoBERTa's rule, which puts a space before text and cuts it."""
    rule = byte_level_rule(pattern, True)
    assert byte_level_cuts(rule) == (pattern, True)


def test_a_space_before_each_piece_is_refused():
    """add_prefix_space behind a Split, where it means another thing."""
    with pytest.raises(ValueError, match="only where the pattern is 'gpt2'"):
        byte_level_rule("cl100k", True)
    steps = [split_rule("gpt2"), byte_level(prefix_space=True)]
    with pytest.raises(ValueError, match="before each piece"):
        byte_level_cuts({"type": "Sequence", "pretokenizers": steps})


def test_a_step_sees_one_piece():
    """Digits that are cut first, and a word that no longer has them before
    it when the second pattern asks."""
    both = find_pattern((DIGIT, "gpt2"))
    assert both.pieces("ab 12") == ["ab", " ", "1", "2"]
    assert find_pattern(("gpt2",)) is PATTERNS["gpt2"]
    with pytest.raises(ValueError, match="no steps"):
        find_pattern(())


def test_rules_of_other_kinds():
    """A rule passed over because its name is not known."""
    for rule, pieces in (
        ({"type": "Digits", "individual_digits": False}, ["a", "12", "."]),
        ({"type": "Punctuation", "behavior": "Isolated"}, ["a12", "."]),
        (
            split_rule("gpt2") | {"pattern": {"String": "."}},
            ["a12", "."],
        ),
        (
            split_rule("gpt2") | {"behavior": "Removed", "invert": True},
            ["a", "12", "."],
        ),
    ):
        assert find_pattern(pattern_of(rule)).pieces("a12.") == pieces
    for rule in (
        {"type": "Metaspace"},
        {"type": "Punctuation", "behavior": "Removed"},
        split_rule(r"\w") | {"behavior": "Removed", "invert": True},
    ):
        with pytest.raises(ValueError, match="its pre_tokenizer"):
            pattern_of(rule)
