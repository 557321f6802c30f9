"""Verdicts: where a text goes wrong, and why."""

import random
from functools import cache

import pytest

from scratchlm.text.tinyworld.reading import answer_in
from scratchlm.text.tinyworld.world import TinyWorld

SUM = "47 + 38\n7 + 8 = 15. Write 5, carry 1.\n4 + 3 + 1 = 8. Write 8.\n"


@cache
def world():
    return TinyWorld()


def link(kind, name):
    """What a world's fact says: an entity, and others of its kind."""
    subject = world().narrator.world.kinds[kind].values[0]
    right = subject.links[name].values[0]
    wrong = right.links["others"].values[0]
    return subject.name, right.name, wrong.name


@pytest.mark.parametrize(
    ("text", "kind", "at", "expected"),
    [
        (SUM + "So 47 + 38 = 85.", "ok", "", ()),
        (SUM + "So 47 + 38 = 86.", "false", "86.", ("85",)),
        (SUM + "So 47 + 38 = 8.", "false", "8.", ("85",)),
        (SUM + "So 47 + 38 = 8", "incomplete", "", ("5",)),
        (SUM + "So 47 + 39 = 85.", "false", "39 ", ("38",)),
        (SUM + "So 47 plus 38", "ungrammatical", "plus", ("+ ",)),
        (SUM + "So 47 + 38 = 85.\n", "ungrammatical", "\n", ("the end",)),
        ("47 + 38\n7 + 8 = 15. Write 6, ca", "false", "6, ", ("5",)),
        ("47 + 7", "incomplete", "", ()),
        ("47 + 7\n", "impossible", "7\n", None),
        ("47 + 99999\n", "false", "99999", None),
        ("", "incomplete", "", None),
        ("the", "ungrammatical", "the", None),
        ("Whot to", "ungrammatical", "Whot", ("Who",)),
        ("Question: Whet ", "ungrammatical", "Whet", ("Where",)),
        ("Question: Who's ", "ungrammatical", "Who's", ("Who",)),
        ("Who is, ", "ungrammatical", ", ", (" who",)),
        ("The towns of the valle.", "ungrammatical", "valle.", ("valley",)),
        (SUM + "So 47 + 38 = 85. So", "ungrammatical", " So", ("the end",)),
        ("Question: What is 31 - 12?\nAnswer: 20.", "false", "20", ("19",)),
        ("Question: What is 12 - 31?\nAns", "impossible", "31?", None),
    ],
)
def test_the_place_and_the_reason_are_named(text, kind, at, expected):
    """A wrong digit that is called bad grammar, or a verdict without the
    place where the text goes wrong."""
    verdict = world().check(text)
    place = text.rindex(at) if at else len(text)
    assert (verdict.kind, verdict.offset) == (kind, place), str(verdict)
    if expected is not None:
        assert verdict.expected[: len(expected)] == expected


def test_a_verdict_says_what_it_found():
    """A word that is named from its second letter on, or a text that only
    stops, and stands accused of a wrong word."""
    assert str(world().check("The towns of the valle.")) == (
        "ungrammatical at character 17: 'valle' stands where 'valley' should"
    )
    assert str(world().check("The towns of")) == (
        "incomplete at character 12: the text ends before ' the valley.'"
    )
    assert str(world().check("47 + 7")).endswith("6: the text ends")
    assert str(world().check(SUM + "So 47 + 38 = 85.")) == "ok"


def test_a_wrong_fact_is_false():
    """A fact that contradicts the world, taken for a choice of the teller."""
    name, right, wrong = link("person", "home")
    page = "From the Book of People.\n{} lives in {}."
    assert world().check(page.format(name, right)).kind == "incomplete"
    verdict = world().check(page.format(name, wrong))
    assert verdict.kind == "false"
    assert (verdict.expected, verdict.found) == ((right,), wrong)
    assert f"{wrong!r} stands where {right!r} should" in str(verdict)
    question = f"Question: Where does {name} live?\nAnswer: In "
    assert world().check(f"{question}{right}.").ok
    assert world().check(f"{question}{wrong}.").kind == "false"


def story(kind, *words):
    """A story with all of some words in it."""
    rng = random.Random(1)
    while True:
        document = world().sample(rng, kinds=[kind])
        if all(word in document.text for word in words):
            return document


def test_giving_what_another_has_is_impossible():
    """Someone who gives what nobody ever gave to them."""
    text = story("story", "handed", "over the ", "and thanked").text
    before, _, after = text.rpartition("over the ")
    thing = after.partition(".")[0]
    things = world().narrator.world.kinds["thing"].values
    wrong = next(other.name for other in things if other.name != thing)
    changed = f"{before}over the {wrong}.{after.partition('.')[2]}"
    verdict = world().check(changed)
    assert (verdict.kind, verdict.expected) == ("impossible", (thing,))
    assert verdict.offset == len(before) + len("over the ")


def test_a_wrong_answer_about_a_story_is_false():
    """An answer that any person's name satisfies."""
    document = story("story_question", "Question: Who ")
    names = [p.name for p in world().narrator.world.kinds["person"].values]
    verdicts = {
        name: world().check(f"{document.prompt} {name}.").kind
        for name in names
    }
    assert verdicts.pop(document.answer) == "ok"
    assert set(verdicts.values()) == {"false"}


def test_the_last_answer_counts():
    """A grade for the first number in a chain of reasoning."""
    assert answer_in("Answer: 1.\nNo.\nAnswer: 12.") == "12"
    assert answer_in("It is 12.") is None
