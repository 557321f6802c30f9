"""Steps: an interval that holds its ends, and an edit."""

from dataclasses import replace

import pytest

from scratchlm.text.cleaning.steps import Edit, Rejection, Rule


def test_an_interval_holds_both_of_its_ends():
    """A < for a <=, which moves every published threshold by one."""
    rule = Rule(name="letters", measure=len, low=2, high=3)
    assert [rule("x" * n) == "x" * n for n in range(1, 5)] == [
        *(False, True, True, False)
    ]


def test_a_rejection_says_what_was_found_and_what_is_allowed():
    """A reject that nobody can explain a month later."""
    rule = Rule(name="letters", measure=len, low=2, high=1000)
    assert rule("x") == Rejection(reason="letters: 1, at least 2 is allowed")
    assert rule("x" * 1234) == Rejection(
        reason="letters: 1,234, at most 1,000 is allowed"
    )


def test_a_rule_without_bounds_lets_all_pass():
    """A default that rejects."""
    text = ""
    assert Rule(name="letters", measure=len)(text) is text


def test_another_threshold_is_another_rule():
    """A threshold changed in place, for every pipeline that shares it."""
    rule = Rule(name="letters", measure=len, low=2)
    assert isinstance(rule("x"), Rejection)
    assert replace(rule, low=1)("x") == "x"
    assert isinstance(rule("x"), Rejection)


@pytest.mark.parametrize(
    ("low", "high"), [(2, 1), (float("nan"), 1), (0, float("nan"))]
)
def test_an_empty_interval_is_refused(low, high):
    """A rule that rejects everything, found after a day of cleaning."""
    with pytest.raises(ValueError, match=r"'x' allows.*low <= high"):
        Rule(name="x", measure=len, low=low, high=high)


def test_an_edit_passes_on_what_it_made():
    """An edit that returns the old text."""
    assert Edit(name="lower", change=str.lower)("Ab") == "ab"
