"""From a document to texts, and from likelihoods to what is right."""

from dataclasses import replace

import numpy as np
import pytest

from scratchlm.evaluation.multiple_choice.tasks import (
    ChoiceTask,
    ContinuationTask,
    Likelihoods,
    SchemaTask,
    text_hash,
)

CHOICE = ChoiceTask(
    name="choice",
    columns=("q",),
    prompt=lambda d: d["q"],
    choices=lambda d: d["choices"],
    answer=lambda d: d["gold"],
)
SCHEMA = SchemaTask(
    name="schema",
    columns=("q",),
    prompt=lambda d: d["contexts"][d["gold"]],
    contexts=lambda d: d["contexts"],
    continuation=lambda d: d["q"],
    answer=lambda d: d["gold"],
)
WORD = ContinuationTask(
    name="word",
    columns=("q",),
    prompt=lambda d: d["q"],
    target=lambda d: d["word"],
)
QUESTION = {"q": "Q?", "choices": ["no", "maybe"], "gold": 1}


def found(log_prob, n_tokens, alone=None, greedy=False):
    return Likelihoods(
        log_prob=np.array(log_prob),
        n_tokens=np.array(n_tokens),
        greedy=np.array([greedy] * len(log_prob)),
        alone=alone if alone is None else np.array(alone),
    )


def test_what_is_asked():
    """The space that is lost, or counted as a character of a choice."""
    asked = CHOICE.asked(QUESTION, "Before.\n")
    assert asked.contexts == ("Before.\nQ?",)
    assert asked.continuations == (" no", " maybe")
    assert (asked.answer, asked.lengths) == (1, (2, 5))
    assert CHOICE.solution(QUESTION) == "maybe"
    schema = {"q": "is big.", "contexts": ["The fox", "The bag"], "gold": 0}
    asked = SCHEMA.asked(schema, "")
    assert asked.contexts == ("The fox", "The bag")
    assert asked.continuations == (" is big.",)
    assert SCHEMA.solution(schema) == "is big."
    asked = WORD.asked({"q": "a", "word": "b"}, "x ")
    assert (asked.contexts, asked.continuations) == (("x a",), (" b",))
    assert WORD.solution({"word": "b"}) == "b"


@pytest.mark.parametrize(
    ("log_prob", "n_tokens", "alone", "right"),
    [
        ([-2.0, -3.0], [1, 1], [-1.0, -4.0], (0, 1, 0, 1)),
        ([-3.0, -2.9], [1, 1], [-9.0, -1.0], (1, 1, 1, 0)),
        ([-1.0, -2.4], [1, 3], [-1.0, -2.4], (0, 1, 1, 0)),
    ],
)
def test_each_way_to_choose(log_prob, n_tokens, alone, right):
    """A length of the wrong kind below the line, or a sign that is lost."""
    asked = CHOICE.asked(QUESTION, "")
    grades = CHOICE.grades(asked, found(log_prob, n_tokens, alone))
    names = ("acc", "acc_norm", "acc_tokens", "acc_mutual_info")
    assert grades == dict(zip(names, map(float, right), strict=True))
    bare = CHOICE.grades(asked, found(log_prob, n_tokens))
    assert "acc_mutual_info" not in bare


def test_a_word_is_right_if_it_is_written():
    """A likely word that is not the likeliest counts as right."""
    asked = WORD.asked({"q": "a", "word": "b"}, "")
    for greedy in (True, False):
        grades = WORD.grades(asked, found([-2.0], [1], greedy=greedy))
        assert grades == {"acc": float(greedy), "nats": 2.0}


def test_chance_depends_on_the_choices():
    """A quarter for all, where some questions have three choices."""
    three = {**QUESTION, "choices": ["a", "b", "c"]}
    asked = [CHOICE.asked(each, "") for each in (QUESTION, three)]
    assert CHOICE.chance_of(asked) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert replace(CHOICE, chance=0.25).chance_of(asked) == 0.25
    schema = {"q": "x", "contexts": ["a", "b", "c", "d"], "gold": 0}
    assert SCHEMA.chance_of([SCHEMA.asked(schema, "")]) == 0.25
    assert WORD.chance_of([WORD.asked({"q": "a", "word": "b"}, "")]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": ["a"], "gold": 0}, "1 choices; give two"),
        ({"choices": ["a", ""]}, "an empty choice, number 1"),
        ({"gold": 2}, "the answer 2 for 2 choices"),
        ({"gold": -1}, "the answer -1 for 2 choices"),
    ],
)
def test_a_question_without_an_answer(change, message):
    """An answer counted from 1: the last choice of a list is 'right'."""
    with pytest.raises(
        ValueError, match=rf"choice: the question 'Q\?'.*{message}"
    ):
        CHOICE.asked({**QUESTION, **change}, "")
    with pytest.raises(ValueError, match=message):
        CHOICE.solution({**QUESTION, **change})


def test_a_task_that_is_none():
    """Chance of 100 percent, above which nothing can be centred."""
    with pytest.raises(ValueError, match=r"chance is 1\.0"):
        replace(CHOICE, chance=1.0)
    with pytest.raises(ValueError, match="n_examples is -1"):
        replace(CHOICE, n_examples=-1)


def test_the_hash_knows_where_texts_end():
    """Two runs with the same letters in other prompts look alike."""
    assert text_hash(["ab", "c"]) != text_hash(["a", "bc"])
    assert text_hash(["a", "b"]) != text_hash(["b", "a"])
    assert text_hash(iter(["a", "b"])) == text_hash(["a", "b"])
