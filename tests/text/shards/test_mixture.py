import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.shards.mixture import Mixture


@settings(max_examples=50)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_never_a_whole_sample_off(weights):
    """Three corpora, each a little behind at the same time: the greedy
    choice of the one that is furthest behind lets some miss its share."""
    names = [str(i) for i in range(len(weights))]
    mixture = Mixture(dict(zip(names, weights, strict=True)))
    n = 2 * mixture.period + 5
    corpora, numbers = mixture.at(np.arange(n))
    shares = np.array(weights) / sum(weights)
    taken = np.cumsum(corpora[:, None] == np.arange(len(weights)), axis=0)
    owed = np.arange(1, n + 1)[:, None] * shares
    bound = 1 - 1 / max(2 * len(weights) - 2, 1)
    assert np.abs(taken - owed).max() <= bound + 1e-9
    for corpus in range(len(weights)):
        mine = numbers[corpora == corpus]
        assert mine.tolist() == list(range(len(mine)))
    counts = mixture.counts(n)
    assert list(counts.values()) == taken[-1].tolist()


def test_greed_fails_where_the_schedule_does_not():
    """The guarantee is not a matter of course: here the largest debt first
    puts a corpus a sample or more behind."""
    weights = [1, 1, 9, 1, 9]  # found by search
    total, debts, worst = sum(weights), [0] * len(weights), 0
    for _ in range(total):
        debts = [d + w for d, w in zip(debts, weights, strict=True)]
        debts[debts.index(max(debts))] -= total
        worst = max(worst, *map(abs, debts))
    assert worst >= total


def test_decimal_weights_are_exact():
    """0.1 as the binary fraction next to it, with a period of 2 ** 55."""
    mixture = Mixture({"a": 0.7, "b": 0.2, "c": 0.1})
    assert mixture.period == 10
    assert mixture.counts(1_000_000) == {
        "a": 700_000,
        "b": 200_000,
        "c": 100_000,
    }
    assert Mixture({"a": 3, "b": 1}).counts(4) == {"a": 3, "b": 1}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "no weights"),
        ({"a": 1, "b": 0}, "'b' is 0; give a number above 0"),
        ({"a": 1, "b": -1.0}, "'b' is -1.0"),
        ({"a": float("nan")}, "'a' is nan"),
        ({"a": float("inf")}, "'a' is inf"),
        ({"a": 0.123456789, "b": 1}, "repeat after .* round them"),
    ],
)
def test_bad_weights_are_named(weights, message):
    """A corpus that is never reached, or a schedule that fills memory."""
    with pytest.raises(ValueError, match=message):
        Mixture(weights)
