"""Intervals of any statistic, from items drawn again with replacement."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int64, Num
from scipy.special import ndtr, ndtri

from scratchlm.evaluation.uncertainty.statistics import (
    Clusters,
    Interval,
    checked_level,
    cluster_numbers,
)

Items: TypeAlias = Num[np.ndarray, " n ..."] | Bool[np.ndarray, " n ..."]
Statistic: TypeAlias = Callable[[np.ndarray], float | np.floating]


def bootstrap_interval(  # noqa: PLR0913
    statistic: Statistic,
    items: Items,
    *,
    clusters: Clusters = None,
    method: Literal["percentile", "bca"] = "bca",
    n_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return a statistic of items with the spread that it has by chance.

    The items at hand stand for all items: as many are drawn from them, with
    replacement, and the statistic is computed anew. ``percentile`` takes
    the middle of these values. ``bca`` also corrects for a statistic that is
    biased, or that varies more where it is larger.

    Args:
        statistic: of an array of items, along its first axis.
        items: as :func:`statistic` reads them; rows, where an item has
            several numbers.
        clusters: what each item belongs to; whole clusters are drawn.
        method: how the ends follow from the drawn values.
        n_resamples: how often to draw.
        level: of the interval.
        seed: of the draws.

    Raises:
        ValueError: fewer than two items or clusters; a number is not finite,
            or the statistic is not, of the items or of a draw of them; a
            size or a level is out of range.

    Source: Efron 1987, "Better Bootstrap Confidence Intervals", section 3.
    """
    _check(items, n_resamples)
    groups = _groups(len(items), clusters)
    draws = np.random.default_rng(seed)
    chosen = draws.integers(0, len(groups), (n_resamples, len(groups)))
    places = (
        chosen
        if len(groups) == len(items)
        else (np.concatenate([groups[i] for i in each]) for each in chosen)
    )
    value = float(_finite(np.array([statistic(items)], float))[0])
    drawn = _finite(
        np.array([statistic(items[each]) for each in places], float)
    )
    tails = np.array([(1 - checked_level(level)) / 2, (1 + level) / 2])
    if method == "bca":
        left_out = _left_out(statistic, items, groups)
        tails = _corrected(tails, value, drawn, left_out)
    low, high = np.quantile(drawn, tails)
    return Interval(
        value=value,
        standard_error=float(drawn.std(ddof=1)),
        low=float(low),
        high=float(high),
        n=len(items),
        level=level,
    )


def _corrected(
    tails: Float[np.ndarray, " ends"],
    value: float,
    drawn: Float[np.ndarray, " n_resamples"],
    left_out: Float[np.ndarray, " groups"],
) -> Float[np.ndarray, " ends"]:
    """Return which quantiles of the draws to take instead."""
    if drawn.min() == drawn.max():
        return tails  # one value, wherever one cuts
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    bias = ndtri(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    gaps = left_out.mean() - left_out
    scale = float((gaps**2).sum()) ** 1.5
    skew = float((gaps**3).sum()) / (6 * scale) if scale else 0.0
    shifted = bias + ndtri(tails)
    corrected: Float[np.ndarray, " ends"] = ndtr(
        bias + shifted / (1 - skew * shifted)
    )
    return corrected


def _left_out(
    statistic: Statistic, items: Items, groups: list[Int64[np.ndarray, " _"]]
) -> Float[np.ndarray, " groups"]:
    """Return the statistic without each item or cluster in turn."""
    keep = np.ones(len(items), bool)
    values = []
    for group in groups:
        keep[group] = False
        values.append(statistic(items[keep]))
        keep[group] = True
    return _finite(np.array(values, float))


def _groups(n: int, clusters: Clusters) -> list[Int64[np.ndarray, " _"]]:
    """Return the items of each draw: one, or those of a cluster."""
    numbers = (
        np.arange(n) if clusters is None else cluster_numbers(clusters, n)
    )
    n_groups = int(numbers.max()) + 1
    if n_groups < 2:
        raise ValueError(
            f"{n} items in {n_groups} cluster cannot be drawn anew; give at "
            "least two independent items or clusters"
        )
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    return np.split(order, np.cumsum(sizes)[:-1])


def _finite(values: Float[np.ndarray, " _"]) -> Float[np.ndarray, " _"]:
    if not np.isfinite(values).all():
        value = values[np.argmin(np.isfinite(values))]
        raise ValueError(
            f"the statistic of the items, or of a draw of them, is {value}; "
            "give one that is finite for every draw"
        )
    return values


def _check(items: Items, n_resamples: int) -> None:
    if len(items) == 0:
        raise ValueError("there are no items; give at least two")
    bad = ~np.isfinite(items.reshape(len(items), -1)).all(1)
    if bad.any():
        item = int(np.argmax(bad))
        raise ValueError(f"item {item} is {items[item]}; find out why")
    if n_resamples < 100:
        raise ValueError(
            f"n_resamples is {n_resamples}; the ends of an interval need 100 "
            "draws or more"
        )
