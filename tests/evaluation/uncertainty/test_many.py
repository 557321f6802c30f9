"""Many tests at once, against definitions, scipy and simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, stats

from scratchlm.evaluation.uncertainty import (
    benjamini_hochberg,
    expected_maximum,
    holm,
    winners_excess,
)


def by_closure(p):
    """Holm's is what Bonferroni gives for every set that holds the test."""
    return [
        max(
            min(1.0, len(some) * min(p[i] for i in some))
            for size in range(1, len(p) + 1)
            for some in combinations(range(len(p)), size)
            if test in some
        )
        for test in range(len(p))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_holm_closes_all_sets(seed):
    """Without the running maximum a test passes that a stronger one failed,
    and an order that is not undone gives it the p-value of another."""
    p = np.random.default_rng(seed).random(6) ** 3
    assert holm(p) == pytest.approx(by_closure(p))


@pytest.mark.parametrize("seed", range(4))
def test_benjamini_and_hochberg_are_scipys(seed):
    """Ranks counted from zero, or the minimum taken from the wrong end."""
    p = np.random.default_rng(seed).random(9) ** 2
    ours = benjamini_hochberg(p.tolist())
    assert ours == pytest.approx(stats.false_discovery_control(p))


def test_errors_are_as_rare_as_they_say():
    """Twenty tests of equal models: one in twenty is below the level by
    itself, and Holm's reports any in one of twenty studies at most."""
    draws = np.random.default_rng(0)
    alone = corrected = 0
    for _ in range(1000):
        p = draws.random(20)
        alone += (p < 0.05).any()
        corrected += (holm(p) < 0.05).any()
    assert alone > 550
    assert corrected < 70


def test_the_largest_of_several():
    """Known by hand for two and three, and by another integral beyond."""
    assert expected_maximum(1) == pytest.approx(0, abs=1e-12)
    assert expected_maximum(2) == pytest.approx(np.pi**-0.5, abs=1e-7)
    assert expected_maximum(3) == pytest.approx(1.5 * np.pi**-0.5, abs=1e-7)
    slow = integrate.quad(
        lambda x: x * 50 * stats.norm.pdf(x) * stats.norm.cdf(x) ** 49, -9, 9
    )[0]
    assert expected_maximum(50) == pytest.approx(slow, abs=1e-7)


def test_the_winner_of_equals_is_overrated_by_what_is_known():
    """Choosing and judging on the same draw gives no excess at all."""
    draws, found = np.random.default_rng(1), []
    for seed in range(20):
        scores = draws.normal(size=(8, 200))
        found.append(winners_excess(scores, n_resamples=150, seed=seed))
    known = expected_maximum(8) / 200**0.5
    # A bootstrap knows the models' means no better than the test does.
    assert 0.5 * known < np.mean(found) < known
    far = np.zeros((2, 200))
    far[0] = 5 + 0.1 * draws.normal(size=200)
    assert abs(winners_excess(far, n_resamples=300)) < 0.003


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_is_no_p_value_is_refused(adjust):
    """A percentage, or the p-value of a test that failed."""
    for bad, said in [([], "no p-values"), ([0.5, 5.0], "p-value 1 is 5"),
                      ([float("nan")], "p-value 0 is nan")]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            adjust(bad)


def test_no_competition_is_refused():
    """The best of none."""
    with pytest.raises(ValueError, match="k is 0"):
        expected_maximum(0)
    with pytest.raises(ValueError, match="1 models on 1 items"):
        winners_excess(np.zeros((1, 1)))
