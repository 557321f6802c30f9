"""How many items a test needs before it is written or paid for."""

from math import ceil, sqrt

from scipy.special import ndtr, ndtri

from scratchlm.evaluation.uncertainty.statistics import checked_level


def items_needed(
    difference: float,
    deviation: float,
    *,
    level: float = 0.95,
    power: float = 0.8,
) -> int:
    """Return how many items show a difference between two models.

    Args:
        difference: the true one, in the unit of the score.
        deviation: of an item's difference, as :func:`paired_deviation` or
            :func:`unpaired_deviation` gives it.
        level: of the interval that is not to contain zero.
        power: how often the difference should be found.

    Raises:
        ValueError: the difference is zero, the deviation is negative, or a
            level is not between 0 and 1.

    Source: Miller 2024, "Adding Error Bars to Evals", on power analysis.
    """
    if difference == 0:
        raise ValueError(
            "the difference is 0; no number of items tells it from 0"
        )
    needed = _quantiles(level, power) * _checked(deviation) / difference
    return max(2, ceil(needed**2))


def detectable_difference(
    n: int, deviation: float, *, level: float = 0.95, power: float = 0.8
) -> float:
    """Return the difference that a test of so many items finds so often.

    Args:
        n: items.
        deviation: of an item's difference.
        level: of the interval that is not to contain zero.
        power: how often the difference should be found.

    Raises:
        ValueError: as for :func:`items_needed`; ``n`` is below 2.
    """
    return _quantiles(level, power) * _checked(deviation) / sqrt(_size(n))


def power_of(
    difference: float, n: int, deviation: float, *, level: float = 0.95
) -> float:
    """Return how often a test of so many items finds a difference.

    Args:
        difference: the true one, in the unit of the score.
        n: items.
        deviation: of an item's difference, above 0.
        level: of the interval that is not to contain zero.

    Raises:
        ValueError: as for :func:`items_needed`; ``n`` is below 2.
    """
    if not deviation > 0:
        raise ValueError(f"deviation is {deviation}; give more than 0")
    away = abs(difference) * sqrt(_size(n)) / deviation
    edge = ndtri((1 + checked_level(level)) / 2)
    return float(ndtr(away - edge) + ndtr(-away - edge))


def paired_deviation(a: float, b: float, both: float) -> float:
    """Return the deviation of an item's difference, of right and wrong.

    Args:
        a: share of items that the first model has right.
        b: share that the second has right.
        both: share that both have right.

    Raises:
        ValueError: no two models have such shares.
    """
    if not max(0.0, a + b - 1) <= both <= min(a, b) <= max(a, b) <= 1:
        raise ValueError(
            f"shares {a} and {b} with {both} of both cannot be; of both is "
            "at most the smaller, and at least their sum less one"
        )
    return sqrt(max(0.0, a + b - 2 * both - (a - b) ** 2))


def unpaired_deviation(a: float, b: float) -> float:
    """Return the same if each model answers items of its own.

    Args:
        a: share of items that the first model has right.
        b: share that the second has right.

    Raises:
        ValueError: a share is not between 0 and 1.
    """
    if not 0 <= min(a, b) <= max(a, b) <= 1:
        raise ValueError(f"shares {a} and {b}; give numbers from 0 to 1")
    return sqrt(a * (1 - a) + b * (1 - b))


def error_of_repeats(n: int, k: int, between: float, within: float) -> float:
    """Return the standard error where each item is asked several times.

    Asking again averages out the luck of sampled answers, and no more.

    Args:
        n: items.
        k: answers drawn to each.
        between: variance of the items' expected scores.
        within: variance of the score of one item over its answers.

    Raises:
        ValueError: a number is out of range.

    Source: Miller 2024, on resampling.
    """
    if k < 1 or min(between, within) < 0:
        raise ValueError(
            f"{k} answers, variances {between} and {within}; give one answer "
            "or more, and variances of 0 or more"
        )
    return sqrt((between + within / k) / _size(n))


def _quantiles(level: float, power: float) -> float:
    """Return the edge of the interval and the margin above it."""
    edge = ndtri((1 + checked_level(level)) / 2)
    return float(edge + ndtri(checked_level(power)))


def _checked(deviation: float) -> float:
    if not deviation >= 0:
        raise ValueError(f"deviation is {deviation}; give 0 or more")
    return deviation


def _size(n: int) -> int:
    if n < 2:
        raise ValueError(f"n is {n}; give two items or more")
    return n
