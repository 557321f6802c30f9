"""Intervals against outside references, enumeration and known truth."""

from itertools import product
from math import comb, sqrt

import numpy as np
import pytest
from scipy import stats

from scratchlm.evaluation.uncertainty import (
    mean_interval,
    paired_difference,
    proportion_interval,
    ratio_interval,
    sign_test,
)

LEVELS = [0.5, 0.95, 0.99]


def covered(intervals, truth):
    return np.mean([truth in interval for interval in intervals])


@pytest.mark.parametrize("level", LEVELS)
def test_a_mean_is_that_of_scipy(level):
    """Below the line n in place of n - 1, or the normal law in place of
    Student's: both too narrow for few items."""
    values = np.random.default_rng(0).normal(size=9)
    found = mean_interval(values, level=level)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx(tuple(theirs))
    assert found.standard_error == pytest.approx(stats.sem(values))
    assert (found.n, found.level) == (9, level)


def test_a_cluster_of_copies_is_one_item():
    """Ten copies of each answer would narrow the interval by the root of
    ten, though nothing was learnt from them."""
    values = np.random.default_rng(0).normal(size=12)
    alone = mean_interval(values)
    copies = mean_interval(
        np.repeat(values, 10), clusters=np.repeat(np.arange(12), 10).tolist()
    )
    for name in ("value", "standard_error", "low", "high"):
        assert getattr(copies, name) == pytest.approx(getattr(alone, name))
    singles = mean_interval(values, clusters=list("abcdefghijkl"))
    assert singles.standard_error == pytest.approx(alone.standard_error)


def test_clusters_as_miller_writes_them():
    """The double sum over pairs of one cluster, term by term."""
    draws = np.random.default_rng(1)
    labels = draws.integers(0, 5, 40)
    values = draws.normal(size=40) + labels
    rest = values - values.mean()
    pairs = sum(
        rest[i] * rest[j]
        for i, j in product(range(40), repeat=2)
        if labels[i] == labels[j]
    )
    found = mean_interval(values, clusters=labels.tolist())
    assert found.standard_error == pytest.approx(sqrt(5 / 4 * pairs) / 40)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_wilson_is_that_of_scipy(n):
    """Wald's interval has no width at 0 and 1, and leaves their range."""
    for k in range(n + 1):
        found = proportion_interval(k, n, 0.9)
        theirs = stats.binomtest(k, n).proportion_ci(0.9, method="wilson")
        assert (found.low, found.high) == pytest.approx(tuple(theirs))
        assert found.value in found
        assert 0 <= found.low < found.high <= 1


def test_the_standard_error_of_a_share_is_that_of_its_mean():
    """Two estimators for one score would print two errors for it."""
    values = [1, 1, 0, 1, 0, 1]
    assert proportion_interval(4, 6).standard_error == pytest.approx(
        mean_interval(values).standard_error
    )


def test_wilson_covers_the_truth_by_enumeration():
    """The law of the number of right answers is known, so the coverage is
    a sum: on average over the truth it is what it says."""
    n, grid = 60, np.linspace(0.05, 0.95, 91)
    intervals = [proportion_interval(k, n) for k in range(n + 1)]
    coverage = [
        sum(
            comb(n, k) * p**k * (1 - p) ** (n - k)
            for k, interval in enumerate(intervals)
            if p in interval
        )
        for p in grid
    ]
    assert 0.93 < np.mean(coverage) < 0.97
    assert min(coverage) > 0.91


def test_equal_sizes_make_a_ratio_a_mean():
    """The residual divided by the wrong size scales the error."""
    draws = np.random.default_rng(2)
    values, labels = draws.normal(size=30), draws.integers(0, 8, 30).tolist()
    for clusters in (None, labels):
        ratio = ratio_interval(7 * values, np.full(30, 7), clusters=clusters)
        mean = mean_interval(values, clusters=clusters)
        for name in ("value", "standard_error", "low", "high"):
            assert getattr(ratio, name) == pytest.approx(getattr(mean, name))


def test_a_long_document_weighs_more():
    """A mean of ratios, in place of a ratio of sums, is another score."""
    assert ratio_interval([8, 10], [1, 9]).value == pytest.approx(1.8)


def test_intervals_cover_the_truth():
    """Simulated with known truth, of a mean, of clusters and of a ratio."""
    draws, kept = np.random.default_rng(3), {"mean": [], "ratio": []}
    kept["clusters"] = []
    labels = np.repeat(np.arange(25), 4).tolist()
    for _ in range(1000):
        kept["mean"].append(mean_interval(draws.exponential(size=60)))
        shared = np.repeat(draws.normal(size=25), 4)
        kept["clusters"].append(
            mean_interval(1 + shared + draws.normal(size=100), clusters=labels)
        )
        sizes = draws.integers(20, 200, 60)
        bits = sizes * (1 + 0.3 * draws.normal(size=60))
        kept["ratio"].append(ratio_interval(bits, sizes))
    for name, intervals in kept.items():
        assert 0.93 < covered(intervals, 1.0) < 0.97, name


def test_the_naive_interval_of_clusters_misses():
    """If it covered as well, the clustered one would be proved by nothing."""
    draws, naive = np.random.default_rng(4), []
    for _ in range(400):
        shared = np.repeat(draws.normal(size=25), 4)
        naive.append(mean_interval(shared + 0.5 * draws.normal(size=100)))
    assert covered(naive, 0.0) < 0.75


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 5), (9, 1), (2, 14)])
def test_the_sign_test_counts_all_coins(wins, losses):
    """The middle counted twice, or one tail alone."""
    n = wins + losses
    far = sum(
        comb(n, k)
        for k in range(n + 1)
        if abs(2 * k - n) >= abs(wins - losses)
    )
    assert sign_test(wins, losses) == pytest.approx(far / 2**n)


def test_a_pair_of_right_and_wrong_is_tested_exactly():
    """Items on which both agree carry nothing, however many there are."""
    a = [1] * 8 + [0] * 2 + [1] * 50
    b = [0] * 8 + [1] * 2 + [1] * 50
    found = paired_difference(a, b)
    assert (found.wins, found.losses, found.test) == (8, 2, "sign")
    assert found.p_value == pytest.approx(stats.binomtest(2, 10).pvalue)
    assert found.interval.value == pytest.approx(0.1)


def test_a_pair_of_other_scores_is_scipys():
    """An unpaired test would not see a small gap between two models that
    find the same items hard."""
    draws = np.random.default_rng(5)
    hard = draws.normal(size=40)
    a, b = hard + 0.1 * draws.normal(size=40) + 0.08, hard
    found = paired_difference(a, b)
    theirs = stats.ttest_rel(a, b)
    assert found.test == "t"
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert found.p_value < 0.01 < stats.ttest_ind(a, b).pvalue
    assert (found.interval.low, found.interval.high) == pytest.approx(
        tuple(theirs.confidence_interval())
    )


def test_clusters_leave_the_exact_test():
    """A coin for each question of one text counts the text many times."""
    a, b = [1] * 12 + [0] * 4, [0] * 12 + [1] * 4
    labels = [each // 4 for each in range(16)]
    found = paired_difference(a, b, clusters=labels)
    assert found.test == "t"
    gaps = [1.0, 1.0, 1.0, -1.0]
    assert found.p_value == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)


def test_equal_models_differ_by_nothing():
    """Zero by zero is no number, and no evidence either."""
    assert paired_difference([0.5, 0.2], [0.5, 0.2]).p_value == 1
    assert paired_difference([1, 0], [1, 0]).p_value == 1


def test_a_score_is_formatted_with_its_ends():
    """A number that is printed alone travels alone."""
    assert f"{proportion_interval(1, 2):.0%}" == "50% [9%, 91%]"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mean_interval([]), "at least one item"),
        (lambda: proportion_interval(0, 0), "at least one item"),
        (
            lambda: mean_interval([1.0, float("nan")]),
            "item 1 has the score nan",
        ),
        (
            lambda: mean_interval([float("inf"), 1.0]),
            "item 0 has the score inf",
        ),
        (lambda: mean_interval([1.0]), "at least two"),
        (lambda: mean_interval([1.0, 2.0], clusters="aa"), "1 cluster do not"),
        (
            lambda: mean_interval([1.0, 2.0], clusters="abc"),
            "3 cluster labels",
        ),
        (lambda: mean_interval([1.0, 2.0], level=95.0), "level is 95"),
        (lambda: proportion_interval(1, 2, 1.0), "level is 1"),
        (lambda: proportion_interval(3, 2), "successes is 3"),
        (lambda: ratio_interval([1.0], [1.0, 2.0]), "numerators has 1 items"),
        (lambda: ratio_interval([1.0, 1.0], [2.0, -1.0]), "denominator 1 is"),
        (lambda: ratio_interval([1.0, 1.0], [0, 0]), "all denominators are 0"),
        (lambda: paired_difference([1, 0], [1]), "a has 2 items and b 1"),
        (lambda: sign_test(-1, 2), "-1 wins"),
    ],
)
def test_what_has_no_interval_is_refused(call, said):
    """Zero by zero, or a nan that hides in a mean, printed as a score."""
    with pytest.raises(ValueError, match=said):
        call()
