"""Four answers of which one is right, and no hint which."""

from collections import Counter

import pytest

from scratchlm.evaluation.multiple_choice.documents import read_documents
from scratchlm.evaluation.multiple_choice.world_choice import (
    KINDS,
    tinyworld_choice,
    world_questions,
)
from scratchlm.text.tinyworld.world import TinyWorld

WORLD = TinyWorld(0)


@pytest.fixture(scope="module")
def drawn():
    return world_questions(120)


def test_one_answer_is_right(drawn):
    """A wrong answer that the world holds for right as well."""
    for each in drawn:
        prompt = f"{each['question']}\nAnswer:"
        right = [WORLD.grade(prompt, choice) for choice in each["choices"]]
        assert right == [i == each["answer"] for i in range(4)]
        assert len(set(each["choices"])) == 4


def test_wrong_answers_are_of_the_right_kind(drawn):
    """A place among people: whoever knows the kind needs no story. What a
    wrong answer says can be said there, and is only not true."""
    for each in drawn[:60]:
        for choice in each["choices"]:
            text = f"{each['question']}\nAnswer: {choice}"
            assert WORLD.check(text).kind in ("ok", "false"), text


def test_the_story_gives_wrong_answers(drawn):
    """Whoever chooses the one name that the story has is always right."""
    hard = 0
    for each in drawn:
        story = each["question"].rpartition("Question:")[0]
        if each["kind"] == "story_question":
            last = [c.rstrip(".").split()[-1] for c in each["choices"]]
            hard += sum(word in story for word in last) > 1
    assert hard > 2 / 3 * sum(d["kind"] == "story_question" for d in drawn)


def test_places_and_kinds_are_as_drawn():
    """The right answer is the first one, or one kind of question alone."""
    many = world_questions(200, seed=5)
    places = Counter(each["answer"] for each in many)
    assert min(places.values()) > 33
    assert {each["kind"] for each in many} == set(KINDS)


def test_the_same_each_time(drawn):
    """A test that changes from run to run."""
    assert drawn == world_questions(120)
    assert drawn != world_questions(120, seed=1)
    task = tinyworld_choice(n=120)
    assert read_documents(task.source, task.columns) == drawn
    with pytest.raises(ValueError, match="n is 0"):
        world_questions(0)


def test_the_forms(drawn):
    """A form that the world does not know gets its name."""
    asked = tinyworld_choice().asked(drawn[0], "")
    assert asked.contexts == (f"{drawn[0]['question']}\nAnswer:",)
    assert asked.continuations == tuple(f" {c}" for c in drawn[0]["choices"])
    letters = tinyworld_choice("letter")
    assert letters.name == "tinyworld_choice_letter"
    assert letters.asked(drawn[0], "").continuations[3] == " D"
    assert f"D. {drawn[0]['choices'][3]}\nAnswer:" in letters.prompt(drawn[0])
