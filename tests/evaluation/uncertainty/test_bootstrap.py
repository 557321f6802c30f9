"""The bootstrap against scipy's, draw by draw, and against known truth."""

import numpy as np
import pytest
from scipy import stats

from scratchlm.evaluation.uncertainty import bootstrap_interval, mean_interval


def skewed(n, seed=0):
    return np.random.default_rng(seed).exponential(size=n)


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("statistic", [np.mean, np.std, np.median])
def test_it_is_that_of_scipy(method, statistic):
    """The sign of the acceleration, or the bias counted once, moves both
    ends a little, which looks plausible."""
    values = skewed(40)
    ours = bootstrap_interval(
        statistic, values, method=method, n_resamples=500, seed=7
    )
    theirs = stats.bootstrap(
        (values,),
        statistic,
        method=method,
        n_resamples=500,
        rng=np.random.default_rng(7),
    )
    assert (ours.low, ours.high) == pytest.approx(
        tuple(theirs.confidence_interval)
    )
    assert ours.standard_error == pytest.approx(theirs.standard_error)
    assert ours.value == pytest.approx(float(statistic(values)))


def test_whole_clusters_are_drawn():
    """Items drawn one by one would split what stands and falls together."""
    values = np.repeat(skewed(30), 5)
    labels = np.repeat(np.arange(30), 5).tolist()
    whole = bootstrap_interval(np.mean, values, clusters=labels)
    split = bootstrap_interval(np.mean, values)
    right = mean_interval(values, clusters=labels).standard_error
    assert whole.standard_error == pytest.approx(right, rel=0.1)
    assert split.standard_error < 0.6 * right


def test_clusters_may_differ_in_size_and_order():
    """Labels that are not sorted put items into their neighbours' cluster."""
    draws = np.random.default_rng(1)
    labels = draws.integers(0, 20, 90)
    rows = np.stack([labels, draws.normal(size=90)], 1)

    def whole_clusters(drawn):
        counts = np.bincount(drawn[:, 0].astype(int), minlength=20)
        sizes = np.maximum(1, np.bincount(labels, minlength=20))
        assert (counts % sizes == 0).all()
        return drawn[:, 1].mean()

    bootstrap_interval(
        whole_clusters, rows, clusters=labels.tolist(), n_resamples=100,
        method="percentile",
    )  # fmt: skip


def test_bca_covers_where_the_statistic_is_skewed():
    """The truth is known: the deviation of an exponential is one. The middle
    of the draws misses it more often than it says."""
    held = {"percentile": 0, "bca": 0}
    for seed in range(100):
        values = skewed(30, seed)
        for method in held:
            held[method] += 1.0 in bootstrap_interval(
                np.std, values, method=method, n_resamples=200, seed=seed
            )
    assert held["percentile"] < held["bca"]


def test_the_mean_is_covered():
    """A simulation whose truth is known, in the middle of a likely range."""
    held = sum(
        1.0 in bootstrap_interval(np.mean, skewed(80, seed), n_resamples=200)
        for seed in range(200)
    )
    assert 0.90 <= held / 200 <= 0.98


def test_equal_items_have_no_spread():
    """The correction of a bias of draws that are all alike is infinite."""
    found = bootstrap_interval(np.mean, np.ones(5), n_resamples=100)
    assert (found.low, found.high, found.standard_error) == (1, 1, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"items": np.zeros(0)}, "no items"),
        ({"items": np.zeros(1)}, "at least two"),
        ({"items": np.array([0.0, np.nan])}, "item 1 is nan"),
        ({"items": np.zeros(3), "clusters": "aaa"}, "1 cluster"),
        ({"items": np.zeros(3), "n_resamples": 10}, "n_resamples is 10"),
        ({"items": np.arange(3.0), "level": 2.0}, "level is 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given, said):
    """An interval of nothing, printed as one."""
    with pytest.raises(ValueError, match=said):
        bootstrap_interval(np.mean, **given)


def test_a_statistic_without_a_value_is_refused():
    """A correlation of a draw of equal items is no number, and quantiles
    of such draws are none either."""
    with pytest.raises(ValueError, match="a draw of them, is inf"):
        bootstrap_interval(
            lambda x: float("inf") if np.ptp(x) == 0 else 1.0, np.arange(2.0)
        )
