"""Scores of documents, with what can be said of their mean."""

from dataclasses import replace

import numpy as np
import pytest

from scratchlm.evaluation.multiple_choice.scores import TaskScores
from scratchlm.evaluation.uncertainty.statistics import (
    mean_interval,
    proportion_interval,
)

RIGHT = np.array([1.0, 0.0, 1.0, 1.0])
SCORES = TaskScores(
    task="t",
    metric="acc",
    chance=0.25,
    grades={"acc": RIGHT, "nats": np.array([1.0, 2.0, 3.0, 6.0])},
    prompts="abc",
    groups=("x", "y", "x", "y"),
)


def test_which_interval():
    """Student's interval around 100 percent, or clusters that are lost."""
    assert SCORES.interval() == proportion_interval(3, 4)
    error = RIGHT.std(ddof=1) / 2
    assert SCORES.interval().standard_error == pytest.approx(error)
    nats = SCORES.grades["nats"]
    assert SCORES.interval("nats", level=0.9) == mean_interval(nats, level=0.9)
    some = replace(SCORES, clusters=(1, 1, 2, 3))
    assert some.interval() == mean_interval(RIGHT, clusters=[1, 1, 2, 3])


def test_centred_by_chance():
    """A guesser who scores 25 percent, or an error that is not stretched."""
    found = SCORES.centred()
    assert found.value == pytest.approx((0.75 - 0.25) / 0.75)
    plain = SCORES.interval()
    assert found.low == pytest.approx((plain.low - 0.25) / 0.75)
    assert found.high == pytest.approx((plain.high - 0.25) / 0.75)
    assert found.standard_error == pytest.approx(plain.standard_error / 0.75)


def test_two_models_on_the_same_questions():
    """Runs that were asked something else are compared."""
    other = replace(SCORES, grades={"acc": np.array([1.0, 0.0, 0.0, 1.0])})
    found = SCORES.against(other)
    assert found.interval.value == 0.25
    assert (found.wins, found.losses, found.test) == (1, 0, "sign")
    with pytest.raises(ValueError, match="other prompts"):
        SCORES.against(replace(other, prompts="abd"))


def test_groups():
    """A subject that takes another one's questions."""
    part = replace(SCORES, clusters=(1, 2, 3, 4)).of("y")
    assert part.grades["acc"].tolist() == [0, 1]
    assert part.clusters == (2, 4)
    assert part.task == "t: y"
    with pytest.raises(ValueError, match="no group 'z'; it has x, y"):
        SCORES.of("z")
    with pytest.raises(ValueError, match="it has none"):
        replace(SCORES, groups=None).of("z")


def test_what_is_no_score():
    """The mean of nothing, which is nan."""
    with pytest.raises(ValueError, match="no documents"):
        replace(SCORES, grades={"acc": np.array([])}, groups=None)
    with pytest.raises(
        ValueError, match="no 'acc_norm'; it has 'acc', 'nats'"
    ):
        SCORES.interval("acc_norm")
    with pytest.raises(ValueError, match="3 clusters for 4 documents"):
        replace(SCORES, clusters=(1, 2, 3))
    with pytest.raises(ValueError, match="1 nats for 4 documents"):
        replace(SCORES, grades={"acc": RIGHT, "nats": np.array([1.0])})
