"""Scores with their standard errors and intervals.

Items are what a test consists of: questions, or documents. Items that share
a source, as the questions about one text do, form a cluster, and a cluster
counts as one draw. One formula serves everything here, because a mean, a
ratio and a difference of two models all have a residual for each item.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int64, Num
from scipy.special import bdtr, ndtri, stdtr, stdtrit

Values: TypeAlias = (
    Sequence[Any] | Num[np.ndarray, " _"] | Bool[np.ndarray, " _"]
)
Clusters: TypeAlias = Iterable[Hashable] | None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A score, and how far it may be from what it estimates.

    In a format string, ``f"{score:.1%}"``, all three numbers have the format.

    Args:
        value: the score.
        standard_error: the deviation of ``value`` over other draws of items.
        low: the lower end.
        high: the upper end.
        n: items.
        level: the part of such intervals that contain the truth.
    """

    value: float
    standard_error: float
    low: float
    high: float
    n: int
    level: float

    def __contains__(self, other: float | int) -> bool:
        """Whether the ends enclose a number, or are it."""
        return bool(self.low <= other <= self.high)

    def __format__(self, spec: str) -> str:
        """Return the value and the ends, as ``0.80 [0.71, 0.87]``."""
        value, low, high = (
            format(each, spec) for each in (self.value, self.low, self.high)
        )
        return f"{value} [{low}, {high}]"


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much more one model scores than another on the same items.

    Args:
        interval: of the mean difference, the first less the second.
        p_value: how often chance alone gives a difference that is as far
            from zero, if the models are equally good.
        test: ``sign`` if the p-value is exact, ``t`` otherwise.
        wins: items on which the first scores more.
        losses: items on which it scores less.
    """

    interval: Interval
    p_value: float
    test: str
    wins: int
    losses: int


def mean_interval(
    values: Values, *, clusters: Clusters = None, level: float = 0.95
) -> Interval:
    """Return the mean of a score over items, with Student's interval.

    Without clusters the standard error is the deviation with ``n - 1`` below
    the line, over the root of ``n``. With them it is that of Miller, times
    the root of ``G / (G - 1)`` for ``G`` clusters, so that clusters of one
    item each change nothing.

    Args:
        values: the score of each item.
        clusters: what each item belongs to.
        level: of the interval.

    Raises:
        ValueError: there are no items, or only one item or cluster; a value
            is not finite; the level is not between 0 and 1.

    Source: Miller 2024, "Adding Error Bars to Evals", on the central limit
    theorem and on clustered standard errors.
    """
    scores = checked(values)
    mean = float(scores.mean())
    return _student(mean, scores - mean, len(scores), clusters, level)


def ratio_interval(
    numerators: Values,
    denominators: Values,
    *,
    clusters: Clusters = None,
    level: float = 0.95,
) -> Interval:
    """Return a ratio of two sums over items, such as bits by bytes.

    A long document weighs more than a short one. The error follows from the
    delta method: what an item adds is its numerator less the ratio times its
    denominator.

    Args:
        numerators: of each item, as its bits.
        denominators: of each item, none negative, as its bytes.
        clusters: what each item belongs to.
        level: of the interval.

    Raises:
        ValueError: as for :func:`mean_interval`; the lengths differ; a
            denominator is negative, or all are zero.

    Source: Cochran 1977, "Sampling Techniques", section 6.4.
    """
    above, below = checked(numerators), checked(denominators)
    _same_length("numerators", above, "denominators", below)
    if (below < 0).any():
        item = int(np.argmax(below < 0))
        raise ValueError(
            f"denominator {item} is {below[item]}; a size is 0 or more"
        )
    if not below.any():
        raise ValueError("all denominators are 0; leave out empty items")
    ratio = float(above.sum() / below.sum())
    residuals = (above - ratio * below) / below.mean()
    return _student(ratio, residuals, len(above), clusters, level)


def proportion_interval(
    successes: int, n: int, level: float = 0.95
) -> Interval:
    """Return a share of independent items, with Wilson's interval.

    Its ends lie between 0 and 1, and it has a width even if no item, or
    each, is a success.

    Args:
        successes: items that are right.
        n: all items.
        level: of the interval.

    Raises:
        ValueError: there are no items, or fewer than successes; the level is
            not between 0 and 1.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and
    Statistical Inference".
    """
    if n < 1:
        raise ValueError(f"n is {n}; a score needs at least one item")
    if not 0 <= successes <= n:
        raise ValueError(
            f"successes is {successes}; give 0 to n, which is {n}"
        )
    share, z = successes / n, float(ndtri((1 + checked_level(level)) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    spread = share * (1 - share) / n + z**2 / (4 * n**2)
    half = z * sqrt(spread) / (1 + z**2 / n)
    return Interval(
        value=share,
        standard_error=sqrt(share * (1 - share) / max(1, n - 1)),
        low=max(0.0, centre - half) if successes else 0.0,
        high=min(1.0, centre + half) if successes < n else 1.0,
        n=n,
        level=level,
    )


def paired_difference(
    a: Values,
    b: Values,
    *,
    clusters: Clusters = None,
    level: float = 0.95,
) -> PairedDifference:
    """Return by how much one model beats another on the same items.

    Items that are hard for both cancel. Of answers that are right or wrong
    only those count on which the models differ, and if these are
    independent, a fair coin tells how surprising their split is. Otherwise
    the p-value is that of Student's test, clustered where clusters are
    given.

    Args:
        a: the score of each item under the first model.
        b: the same under the second, in the same order.
        clusters: what each item belongs to.
        level: of the interval.

    Raises:
        ValueError: as for :func:`mean_interval`; the lengths differ.

    Source: McNemar 1947, "Note on the Sampling Error of the Difference
    Between Correlated Proportions or Percentages", in its exact form; Miller
    2024, on paired differences.
    """
    first, second = checked(a), checked(b)
    _same_length("a", first, "b", second)
    gaps = first - second
    groups = None if clusters is None else list(clusters)
    interval = mean_interval(gaps, clusters=groups, level=level)
    wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
    exact = groups is None and np.isin([first, second], [0, 1]).all()
    return PairedDifference(
        interval=interval,
        p_value=(
            sign_test(wins, losses)
            if exact
            else _t_test(interval, _n_draws(len(gaps), groups))
        ),
        test="sign" if exact else "t",
        wins=wins,
        losses=losses,
    )


def sign_test(wins: int, losses: int) -> float:
    """Return how often a fair coin splits as unevenly, in either direction.

    Args:
        wins: items on which one model is better.
        losses: items on which the other is.

    Raises:
        ValueError: a number is negative.

    Source: McNemar 1947, with the binomial law in place of its limit.
    """
    if min(wins, losses) < 0:
        raise ValueError(f"{wins} wins and {losses} losses; counts are >= 0")
    n = wins + losses
    return min(1.0, 2 * float(bdtr(min(wins, losses), n, 0.5))) if n else 1.0


def checked(values: Values) -> Float[np.ndarray, " n"]:
    """Return the scores of items as numbers, if they are some.

    Raises:
        ValueError: there are none, or one is not a finite number.
    """
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(
            f"scores of shape {scores.shape}; give one number for each item, "
            "and at least one item"
        )
    if not np.isfinite(scores).all():
        item = int(np.argmin(np.isfinite(scores)))
        raise ValueError(
            f"item {item} has the score {scores[item]}; find out why, and "
            "leave no item out without a word"
        )
    return scores


def checked_level(level: float) -> float:
    """Return the level of an interval, if it is one.

    Raises:
        ValueError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a part, as 0.95")
    return level


def cluster_numbers(
    clusters: Iterable[Hashable], n: int
) -> Int64[np.ndarray, " n"]:
    """Return the number of each item's cluster, in order of appearance.

    Args:
        clusters: what each item belongs to.
        n: items.

    Raises:
        ValueError: there are not as many labels as items.
    """
    known: dict[Hashable, int] = {}
    numbers = [known.setdefault(each, len(known)) for each in clusters]
    if len(numbers) != n:
        raise ValueError(
            f"{len(numbers)} cluster labels for {n} items; give one each"
        )
    return np.array(numbers, np.int64)


def _student(
    value: float,
    residuals: Float[np.ndarray, " n"],
    n: int,
    clusters: Clusters,
    level: float,
) -> Interval:
    """Return the interval of a mean whose items have these residuals."""
    if clusters is not None:
        residuals = np.bincount(cluster_numbers(clusters, n), residuals)
    n_draws = len(residuals)
    if n_draws < 2:
        raise ValueError(
            f"{n} items in {n_draws} cluster do not show their spread; give "
            "at least two independent items or clusters"
        )
    square = float(residuals @ residuals) * n_draws / (n_draws - 1)
    error = sqrt(square) / n
    half = error * float(stdtrit(n_draws - 1, (1 + checked_level(level)) / 2))
    return Interval(
        value=value,
        standard_error=error,
        low=value - half,
        high=value + half,
        n=n,
        level=level,
    )


def _n_draws(n: int, clusters: Sequence[Hashable] | None) -> int:
    return n if clusters is None else len(set(clusters))


def _t_test(interval: Interval, n_draws: int) -> float:
    """Return the two-sided p-value of a mean of zero."""
    if interval.standard_error == 0:
        return 1.0 if interval.value == 0 else 0.0
    t = abs(interval.value) / interval.standard_error
    return 2 * float(stdtr(n_draws - 1, -t))


def _same_length(
    name: str,
    some: Float[np.ndarray, " _"],
    other_name: str,
    others: Float[np.ndarray, " _"],
) -> None:
    if len(some) != len(others):
        raise ValueError(
            f"{name} has {len(some)} items and {other_name} {len(others)}; "
            "give both for the same items"
        )
