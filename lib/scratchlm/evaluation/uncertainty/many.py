"""Many tests at once: what is found by chance, and what the best is worth."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

PValues: TypeAlias = Sequence[float] | Float[np.ndarray, " _"]
_REACH, _STEPS = 10.0, 20_001  # of the integral, in deviations


def holm(p_values: PValues) -> Float[np.ndarray, " m"]:
    """Return p-values that may be compared with one level all together.

    Those below it are wrong all, or in part, at most so often as it says,
    whatever the tests have in common.

    Args:
        p_values: of each test, in any order.

    Returns:
        The adjusted ones in that order.

    Raises:
        ValueError: there are none, or one is not between 0 and 1.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test
    Procedure".
    """
    p = _checked(p_values)
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.maximum.accumulate(np.minimum(1.0, factors * p[order]))
    return _back(adjusted, order)


def benjamini_hochberg(p_values: PValues) -> Float[np.ndarray, " m"]:
    """Return p-values below which so small a part is found by chance.

    Of the tests that are below a level, at most that part is expected to be
    wrong, if the tests are independent.

    Args:
        p_values: of each test, in any order.

    Returns:
        The adjusted ones in that order.

    Raises:
        ValueError: there are none, or one is not between 0 and 1.

    Source: Benjamini and Hochberg 1995, "Controlling the False Discovery
    Rate".
    """
    p = _checked(p_values)
    order = np.argsort(p)
    scaled = len(p) / np.arange(1, len(p) + 1) * p[order]
    adjusted = np.minimum.accumulate(scaled[::-1])[::-1]
    return _back(np.minimum(1.0, adjusted), order)


@cache
def expected_maximum(k: int) -> float:
    """Return the mean of the largest of ``k`` standard normal numbers.

    The best of ``k`` equally good models exceeds its true score by so many
    standard errors on average.

    Args:
        k: how many compete.

    Raises:
        ValueError: ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; at least one takes part")
    x = np.linspace(0, _REACH, _STEPS)
    # The mean from the law of the maximum, ndtr(x) ** k, by parts; both
    # halves of the axis at once.
    return float(np.trapezoid(1 - ndtr(x) ** k - ndtr(-x) ** k, x))


def winners_excess(
    scores: Float[np.ndarray, "models n"],
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> float:
    """Return by how much the best of several models is overrated.

    The winner is chosen on items that are drawn anew, and its score on them
    is compared with its score on all: the gap is what being chosen adds.

    Args:
        scores: of each model on each item.
        n_resamples: how often to draw.
        seed: of the draws.

    Raises:
        ValueError: there is no model, or fewer than two items.

    Source: Efron 1983, "Estimating the Error Rate of a Prediction Rule", on
    optimism.
    """
    models, n = scores.shape
    if models < 1 or n < 2:
        raise ValueError(
            f"{models} models on {n} items; give one model and two items, or "
            "more"
        )
    draws, means = np.random.default_rng(seed), scores.mean(1)
    excess = 0.0
    for _ in range(n_resamples):
        counts = np.bincount(draws.integers(0, n, n), minlength=n)
        drawn = scores @ counts / n
        winner = int(np.argmax(drawn))
        excess += float(drawn[winner] - means[winner])
    return excess / n_resamples


def _back(adjusted: Any, order: Any) -> Float[np.ndarray, " m"]:
    placed = np.empty(len(order))
    placed[order] = adjusted
    return placed


def _checked(p_values: PValues) -> Float[np.ndarray, " m"]:
    p = np.asarray(p_values, np.float64)
    if not len(p):
        raise ValueError("there are no p-values; give one for each test")
    bad = ~((p >= 0) & (p <= 1))
    if bad.any():
        test = int(np.argmax(bad))
        raise ValueError(f"p-value {test} is {p[test]}; give 0 to 1")
    return p
