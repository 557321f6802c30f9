"""Differences among seeds."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import permutation_test

from scratchlm.training.scaling_laws import difference, seeds_needed


def gap(x, y):
    return np.mean(x) - np.mean(y)


FIRST = [1.31, 1.35, 1.29, 1.33, 1.36]
SECOND = [1.30, 1.33, 1.28, 1.31, 1.34]


def test_the_standard_error_of_two_groups():
    """Deviations added instead of variances."""
    found = difference([1.0, 3.0], [0.0, 2.0, 4.0])
    assert found.mean == pytest.approx(0.0)
    assert found.standard_error == pytest.approx(math.sqrt(2 / 2 + 4 / 3))


def test_pairs_cancel_what_they_share():
    """Pairs treated as two groups: a small difference that every seed shows
    drowns in the spread that both share."""
    apart = difference(FIRST, SECOND)
    paired = difference(FIRST, SECOND, paired=True)
    assert paired.mean == pytest.approx(apart.mean)
    assert paired.standard_error < apart.standard_error / 5
    assert paired.chance == 2 / 32
    assert apart.chance > 0.2


@pytest.mark.parametrize("paired", [False, True])
def test_the_chance_equals_scipy(paired):
    """One direction counted, or the given labelling left out."""
    found = difference(FIRST, SECOND, paired=paired)
    theirs = permutation_test(
        (FIRST, SECOND),
        gap,
        permutation_type="samples" if paired else "independent",
        n_resamples=math.inf,
    )
    assert found.chance == pytest.approx(theirs.pvalue)


def test_equal_groups_differ_by_chance():
    """A chance of 0 where nothing differs."""
    assert difference(FIRST, FIRST).chance == 1.0
    assert difference(FIRST, FIRST, paired=True).chance == 1.0


def test_the_seeds_that_show_a_difference():
    """One group's variance for the difference of two: half the seeds, and
    the power is half of what was promised."""
    n = seeds_needed(0.01, 0.01)
    assert n == 16
    error = 0.01 * math.sqrt(2 / n)
    limit = NormalDist().inv_cdf(0.975) * error
    assert 1 - NormalDist(0.01, error).cdf(limit) == pytest.approx(
        0.8, abs=0.02
    )
    assert seeds_needed(0.01, -0.01, paired=True) == 8
    assert seeds_needed(0.0, 0.01) == 2


def test_what_shows_no_spread_is_refused():
    """0 over 0 for one seed, and a list of a million labellings."""
    with pytest.raises(ValueError, match="1 and 5 runs"):
        difference([1.0], FIRST)
    with pytest.raises(ValueError, match="no pairs"):
        difference(FIRST[:4], SECOND, paired=True)
    with pytest.raises(ValueError, match="too many to list"):
        difference(FIRST * 5, SECOND * 5)
    with pytest.raises(ValueError, match="gap is 0"):
        seeds_needed(0.1, 0.0)
    with pytest.raises(ValueError, match="power is 1"):
        seeds_needed(0.1, 0.1, power=1.0)
