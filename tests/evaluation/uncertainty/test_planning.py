"""Sizes of tests, against simulation and against what is known."""

import numpy as np
import pytest
from scipy import stats

from scratchlm.evaluation.uncertainty import (
    detectable_difference,
    error_of_repeats,
    items_needed,
    paired_deviation,
    paired_difference,
    power_of,
    unpaired_deviation,
)


def test_the_planned_test_finds_the_difference_so_often():
    """A factor of two between one end and both, or between one model's
    deviation and that of a difference, halves or doubles the size."""
    a, b, both, draws = 0.75, 0.70, 0.65, np.random.default_rng(0)
    n = items_needed(a - b, paired_deviation(a, b, both))
    outcomes = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
    shares = [both, a - both, b - both, 1 - a - b + both]
    found = 0
    for _ in range(600):
        first, second = outcomes[draws.choice(4, n, p=shares)].T
        found += 0.0 not in paired_difference(first, second).interval
    assert 0.75 < found / 600 < 0.85


def test_size_difference_and_power_are_one_formula():
    """Three functions that drift apart contradict each other on one page."""
    for difference, deviation in [(0.01, 0.4), (-0.3, 1.5)]:
        n = items_needed(difference, deviation, level=0.9, power=0.7)
        least = detectable_difference(n, deviation, level=0.9, power=0.7)
        assert least <= abs(difference) < least * 1.1
        assert power_of(difference, n, deviation, level=0.9) >= 0.7
        assert power_of(difference, n - 1, deviation, level=0.9) < 0.701


def test_no_difference_is_found_as_often_as_the_level_says():
    """Both tails: half of the level would be a one-sided test."""
    assert power_of(0.0, 50, 1.0) == pytest.approx(0.05)
    exact = stats.norm.sf(1.96 - 2) + stats.norm.cdf(-1.96 - 2)
    assert power_of(0.2, 100, 1.0) == pytest.approx(exact, abs=1e-4)


def test_deviations_are_those_of_all_outcomes():
    """The covariance counted once, or with the wrong sign."""
    a, b, both = 0.6, 0.5, 0.4
    law = {1: a - both, -1: b - both, 0: 1 - a - b + 2 * both}
    mean = sum(gap * p for gap, p in law.items())
    square = sum(gap**2 * p for gap, p in law.items())
    assert paired_deviation(a, b, both) == pytest.approx(
        (square - mean**2) ** 0.5
    )
    assert paired_deviation(a, b, a * b) == pytest.approx(
        unpaired_deviation(a, b)
    )


def test_asking_again_helps_only_so_far():
    """The spread among items does not fall with the answers to each."""
    draws, n, k = np.random.default_rng(1), 30, 4
    means = [
        (0.5 + 0.2 * draws.normal(size=n)
         + 0.3 * draws.normal(size=(k, n))).mean()
        for _ in range(4000)
    ]  # fmt: skip
    expected = error_of_repeats(n, k, 0.04, 0.09)
    assert np.std(means) == pytest.approx(expected, rel=0.05)
    assert error_of_repeats(n, 10**9, 0.04, 0.09) == pytest.approx(
        (0.04 / n) ** 0.5
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: items_needed(0.0, 1.0), "difference is 0"),
        (lambda: items_needed(0.1, -1.0), "deviation is -1"),
        (lambda: items_needed(0.1, 1.0, power=1.0), "level is 1"),
        (lambda: detectable_difference(1, 1.0), "n is 1"),
        (lambda: power_of(0.1, 10, 0.0), "more than 0"),
        (lambda: paired_deviation(0.9, 0.9, 0.7), "cannot be"),
        (lambda: paired_deviation(0.5, 0.4, 0.45), "cannot be"),
        (lambda: unpaired_deviation(1.5, 0.5), "0 to 1"),
        (lambda: error_of_repeats(10, 0, 1.0, 1.0), "0 answers"),
    ],
)
def test_impossible_plans_are_refused(call, said):
    """A size of zero or infinity that somebody pays for."""
    with pytest.raises(ValueError, match=said):
        call()
