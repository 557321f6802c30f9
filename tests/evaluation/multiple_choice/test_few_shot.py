"""Which examples stand before a question, and how."""

from dataclasses import replace
from random import Random

import pytest

from scratchlm.evaluation.multiple_choice.few_shot import prefixes
from scratchlm.evaluation.multiple_choice.tasks import ChoiceTask

TASK = ChoiceTask(
    name="t",
    columns=("q", "subject"),
    prompt=lambda d: f"Q: {d['q']}\nA:",
    choices=lambda d: ["yes", "no"],
    answer=lambda d: int(d["q"]) % 2,
    n_examples=2,
)


def questions(*numbers, subject="s"):
    return [{"q": str(n), "subject": subject} for n in numbers]


def numbers_in(prefix):
    return [int(part.split("\n")[0]) for part in prefix.split("Q: ")[1:]]


def test_the_text_of_examples():
    """A separator that is missing, or stands behind the question."""
    task = replace(TASK, description=lambda d: f"On {d['subject']}.\n\n")
    found = prefixes(task, questions(9), questions(1, 2, 3))
    assert found == ["On s.\n\nQ: 1\nA: no\n\nQ: 2\nA: yes\n\n"]
    assert prefixes(replace(TASK, n_examples=0), questions(9)) == [""]


@pytest.mark.parametrize("sampling", ["first", "once", "each"])
def test_no_question_is_its_own_example(sampling):
    """The answer stands in the prompt."""
    asked = questions(*range(7))
    found = prefixes(replace(TASK, sampling=sampling), asked)
    for i, prefix in enumerate(found):
        shown = numbers_in(prefix)
        assert len(set(shown)) == 2
        assert i not in shown
    drawn = {tuple(numbers_in(prefix)) for prefix in found[3:]}
    if sampling == "first":
        assert drawn == {(0, 1)}
    if sampling == "each":
        assert len(drawn) > 1


def test_each_draws_as_nanochat_does():
    """Another draw of the examples, and scores of CORE that nobody else
    gets."""
    asked = questions(*range(9))
    task = replace(TASK, sampling="each", seed=1234, n_examples=3)
    for i, prefix in enumerate(prefixes(task, asked)):
        others = [n for n in range(9) if n != i]
        assert numbers_in(prefix) == Random(1234 + i).sample(others, 3)


def test_a_seed_decides():
    """Examples that change from run to run, or never."""
    pool, asked = questions(*range(30)), questions(40, 41)
    for sampling in ("once", "each"):
        task = replace(TASK, sampling=sampling)
        once = prefixes(task, asked, pool)
        assert once == prefixes(task, asked, pool)
        assert once != prefixes(replace(task, seed=1), asked, pool)
        assert (once[0] == once[1]) == (sampling == "once")


def test_examples_of_the_own_subject():
    """Questions about history before one about chemistry."""
    pool = questions(1, 3, 5) + questions(2, 4, 6, subject="t")
    asked = questions(8, subject="t") + questions(9)
    task = replace(TASK, group=lambda d: d["subject"])
    for sampling in ("first", "once", "each"):
        found = prefixes(replace(task, sampling=sampling), asked, pool)
        for prefix, rest in zip(found, (0, 1), strict=True):
            assert all(n % 2 == rest for n in numbers_in(prefix))


def test_what_is_missing():
    """Fewer examples than the task says, without a word."""
    with pytest.raises(ValueError, match="has 1 examples for document 0"):
        prefixes(TASK, questions(9), questions(1))
    with pytest.raises(ValueError, match="has 1 examples for document 0"):
        prefixes(replace(TASK, sampling="each"), questions(8, 9))
    task = replace(TASK, group=lambda d: d["subject"])
    with pytest.raises(ValueError, match="has 0 examples of 'u'"):
        prefixes(task, questions(9, subject="u"), questions(1, 2))
    with pytest.raises(ValueError, match="document 0 of t has no column 'su"):
        prefixes(TASK, [{"q": "1"}])
    with pytest.raises(ValueError, match="example 1 of t has no column 'su"):
        prefixes(TASK, questions(9), [*questions(1), {"q": "1"}])
