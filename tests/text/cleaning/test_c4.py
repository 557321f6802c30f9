"""C4's rules, each at its threshold from both sides."""

import time

import pytest

from scratchlm.text.cleaning.c4 import (
    C4,
    LineRule,
    ends_a_sentence,
    n_sentences,
    word_list_rule,
)
from scratchlm.text.cleaning.steps import Rejection

STEPS = {step.name: step for step in C4}
GOOD = "The tide is out again."


def kept(name, *lines):
    result = STEPS[name]("\n".join([GOOD, *lines, GOOD]))
    return result.split("\n")[1:-1]


@pytest.mark.parametrize("end", [".", "!", "?", '"', "”", "’", "»", ".”"])
def test_a_line_that_ends_a_sentence_stays(end):
    """A page of dialogue that loses each line that ends in a quotation."""
    assert kept("sentence lines", f"so it is{end}  ") == [f"so it is{end}  "]


@pytest.mark.parametrize("end", ["", ",", ":", "...", "…", "›", " |", "{"])
def test_a_line_that_ends_none_goes(end):
    """Menus, headings, teasers."""
    assert kept("sentence lines", f"so it is{end}") == []


@pytest.mark.parametrize(
    ("name", "stays", "goes"),
    [
        ("lines of words", "one two three four five.", "one two three four."),
        ("javascript lines", "Java script is on.", "Turn JavaScript on."),
        ("policy lines", "We use biscuits.", "We USE COOKIES here."),
        ("policy lines", "Terms of us.", "Read our Terms of Use."),
        ("policy lines", "A policy.", "Our Privacy Policy."),
    ],
)
def test_line_rules_at_their_threshold(name, stays, goes):
    """Four words for five, or a phrase that is compared with its case."""
    assert kept(name, stays, goes) == [stays]


@pytest.mark.parametrize(
    ("name", "inside", "beyond"),
    [
        ("curly brackets", "f(x) [y]", "f(x) {"),
        ("curly brackets", "f(x) [y]", "}"),
        ("lorem ipsum", "Lorem, ipsum.", "x LOREM Ipsum x"),
        ("sentences", "A. B! C?", "A. B!"),
        ("sentences", "(A.) “B.” C?!", "A. B"),
    ],
)
def test_page_rules_at_their_threshold(name, inside, beyond):
    """A rule that looks the wrong way."""
    assert STEPS[name](inside) is inside
    assert isinstance(STEPS[name](beyond), Rejection)


def test_every_rule_is_tested():
    """A rule that is added without its threshold."""
    tested = {"citation marks", "sentence lines", "lines of words"}
    tested |= {"javascript lines", "policy lines", "curly brackets"}
    assert set(STEPS) == tested | {"lorem ipsum", "sentences"}


def test_points_inside_numbers_and_names_end_no_sentence():
    """Three versions counted as three sentences."""
    assert isinstance(STEPS["sentences"]("See 3.11 and x.y.z now."), Rejection)


def test_citation_marks_go_and_other_brackets_stay():
    """Brackets of the author's own."""
    step = STEPS["citation marks"]
    assert step("So[1] it[citation needed] is[23].") == "So it is."
    assert step("He [sic] said [1a].") == "He [sic] said [1a]."


def test_paragraphs_stay_apart():
    """Blank lines dropped as lines without words; three in a row left."""
    result = STEPS["sentence lines"](f"{GOOD}\n\nmenu\n\n{GOOD}")
    assert result == f"{GOOD}\n\n{GOOD}"


def test_a_page_of_which_no_line_stays_is_rejected():
    """An empty document that goes on to the model."""
    assert STEPS["sentence lines"]("menu\nhome\n\n") == Rejection(
        reason="sentence lines: none of 2 lines is kept"
    )
    assert isinstance(STEPS["sentence lines"](""), Rejection)


def test_a_line_rule_of_ones_own():
    """A rule that sees the space around the line."""
    rule = LineRule(name="no a", keeps=lambda line: line[0] != "a")
    assert rule("  b\n  a") == "  b"
    untouched = "b\n\n\n\nc"
    assert rule(untouched) is untouched


def test_listed_words_are_whole_words_without_case():
    """The name of a town in England that contains a word of the list."""
    rule = word_list_rule(["Darn", "two words"])
    assert rule("The darnel grows.") == "The darnel grows."
    assert isinstance(rule("DARN, it grows."), Rejection)
    assert isinstance(rule("Just two words"), Rejection)
    assert word_list_rule(["darn"], at_most=1)("darn") == "darn"
    with pytest.raises(ValueError, match="no words"):
        word_list_rule([" "])
    with pytest.raises(ValueError, match=r"words is one string.*\[word\]"):
        word_list_rule("darn")


def test_a_long_line_costs_its_length():
    """A pattern that goes back over the line at each of its characters."""
    start = time.process_time()
    for step in C4:
        step("." * 200_000 + "x")
        step("[" * 200_000)
    assert time.process_time() - start < 5


def test_sentences_of_other_scripts_end_too():
    """A full stop that is a ring, and a quotation that closes below."""
    for text, count in [
        ("一。二！三？", 3), ("एक। दो।", 2), ("a۔ b؟", 2),
        ("Er sagte: „Nein.“ Sie ging.", 2), ("»Ja.« Gut.", 2), ("1.5", 0),
    ]:  # fmt: skip
        assert n_sentences(text) == count
    for line in ("今天。", "एक दो तीन।", "Er sagte „Nein.“", "»Ja.«"):
        assert ends_a_sentence(line)
