"""Gopher's quality rules, each at its threshold from both sides."""

import pytest

from scratchlm.text.cleaning import gopher
from scratchlm.text.cleaning.gopher import GOPHER
from scratchlm.text.cleaning.steps import Rejection

RULES = {rule.name: rule for rule in GOPHER}


def lines(good, bad, n_good, n_bad):
    return "\n".join([good] * n_good + [bad] * n_bad)


# name, a text exactly at the threshold, one just beyond it
EDGES = [
    ("words", "a " * 50, "a " * 49),
    ("words", "a " * 100_000, "a " * 100_001),
    ("word length", "abc " * 9, "abc " * 8 + "ab"),
    ("word length", "abcdefghij " * 9, "abcdefghij " * 8 + "abcdefghijk"),
    ("hashes per word", "# " + "a " * 9, "# " + "a " * 8),
    ("ellipses per word", "so... " + "a " * 9, "so... " + "a " * 8),
    ("ellipses per word", "so… " + "a " * 9, "so… " + "a " * 8),
    ("bullet lines", lines("a", "- b", 1, 9), lines("a", "- b", 1, 10)),
    ("bullet lines", lines("a", "• b", 1, 9), "• b"),
    ("ellipsis lines", lines("a.", "b...", 7, 3), lines("a.", "b…", 6, 3)),
    ("words with a letter", "abc " * 8 + "1 2", "abc " * 7 + "1 2"),
    ("stop words", "The tides of May", "tides of May"),
]


@pytest.mark.parametrize(("name", "inside", "beyond"), EDGES)
def test_each_rule_at_its_threshold(name, inside, beyond):
    """A threshold off by one, or a rule that looks the wrong way."""
    rule = RULES[name]
    assert rule(inside) is inside
    rejected = rule(beyond)
    assert isinstance(rejected, Rejection)
    assert rejected.reason.startswith(f"{name}: ")


def test_every_rule_has_its_edges():
    """A rule that is added without a test of its threshold."""
    assert {name for name, _, _ in EDGES} == set(RULES)


@pytest.mark.parametrize("rule", GOPHER, ids=lambda rule: rule.name)
def test_a_text_without_words_has_numbers_too(rule):
    """A division by zero on an empty page."""
    for text in ("", " ", "\n\n"):
        rule(text)


def test_stop_words_are_words():
    """A stop word that is found inside another, as "the" in "weather", or
    is missed because a comma follows or a sentence begins with it."""
    assert gopher.stop_words("weather tobacco offal band") == 0
    assert gopher.stop_words("That, (of) WITH.") == 3
    assert gopher.stop_words("the the the") == 1


def test_blank_lines_are_no_lines():
    """A share that a writer lowers by pressing the return key."""
    text = "- a\n\n   \n- b"
    assert gopher.bullet_lines(text) == 1
    assert gopher.filled_lines(text) == ["- a", "- b"]


def test_stop_words_of_another_language():
    """Eight English words throw away every German text."""
    german = gopher.stop_word_rule(["de"])
    text = "Der Hafen, die Boote und das Meer."
    assert german(text) is text
    assert isinstance(RULES["stop words"](text), Rejection)
    assert isinstance(german("the tides of May"), Rejection)
    both = gopher.stop_word_rule(["de", "en"])
    assert both(text) is text
    assert both("the tides of May") == "the tides of May"
    # One of each language is two of none.
    assert isinstance(both("the Hafen und Meer"), Rejection)


def test_words_whose_vowels_are_marks_are_words():
    """To a regular expression the vowels of Hindi are no letters, and its
    words fall apart."""
    words = frozenset(["में", "की", "है"])
    assert gopher.stop_words("घर में, (की) है।", [words]) == 3


def test_a_language_without_stop_words_is_named():
    """A rule that silently rejects, or silently passes, all of a language."""
    with pytest.raises(ValueError, match=r"language 'xx'.*--without 'stop w"):
        gopher.stop_word_rule(["en", "xx"])
    with pytest.raises(ValueError, match="no languages"):
        gopher.stop_word_rule([])
    with pytest.raises(ValueError, match="one string"):
        gopher.stop_word_rule("de")
