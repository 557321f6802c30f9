"""Finding special tokens, and numbering them."""

import pytest

from scratchlm.text.tokenizer.special_tokens import SpecialTokens


def test_names_are_numbered_in_order():
    """A set in between, and other ids on every run."""
    tokens = SpecialTokens.following(["c", "a", "b"], 10)
    assert tokens.ids == {"c": 10, "a": 11, "b": 12}


def test_unknown_names_are_ignored_as_in_tiktoken():
    """A name of another tokenizer that makes the caller's code fail."""
    tokens = SpecialTokens({"<a>": 1})
    assert tokens.allow({"<a>", "<other>"}) == {"<a>"}
    assert tokens.allow("all") == {"<a>"}
    assert tokens.allow(()) == frozenset()


def test_signs_of_regular_expressions_are_plain_text():
    """ "<|x|>" read as three alternatives."""
    tokens = SpecialTokens({"<|x|>": 1, "a.c": 2})
    assert list(tokens.cut("<abc<|x|>a.cz", tokens.names)) == [
        ("<abc", "<|x|>"),
        ("", "a.c"),
        ("z", ""),
    ]


def test_empty_name_raises():
    """A token that stands between every two characters."""
    with pytest.raises(ValueError, match="empty"):
        SpecialTokens({"": 1})
