"""Which differences to believe."""

from collections.abc import Sequence
from itertools import combinations, product
from math import ceil, comb, sqrt
from statistics import NormalDist, fmean, stdev, variance
from typing import NamedTuple

MOST = 200_000  # relabellings that are listed


class Difference(NamedTuple):
    """How much lower the second of two groups of runs ends.

    Args:
        mean: of the first minus that of the second.
        standard_error: of that, from the spread among seeds.
        chance: how often labels put on at random give a difference that is
            as large, in either direction.
    """

    mean: float
    standard_error: float
    chance: float


def difference(
    first: Sequence[float], second: Sequence[float], *, paired: bool = False
) -> Difference:
    """Compare two ways to train by the losses of several seeds of each.

    Args:
        first: final losses, one for each seed.
        second: the same for the other way.
        paired: the k-th runs of both share their seed, hence the order of
            the data, and what that does to both cancels.

    Raises:
        ValueError: a group has fewer than two runs, paired groups differ in
            size, or there are too many relabellings to list.

    Source: Fisher 1935, "The Design of Experiments", section 21, for the
    relabellings.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(
            f"{len(first)} and {len(second)} runs do not show their spread; "
            "give two seeds or more of each"
        )
    if paired and len(first) != len(second):
        raise ValueError(
            f"{len(first)} and {len(second)} runs are no pairs; give the "
            "same seeds to both"
        )
    if paired:
        gaps = [a - b for a, b in zip(first, second, strict=True)]
        error = stdev(gaps) / sqrt(len(gaps))
        return Difference(fmean(gaps), error, _flipped(gaps))
    error = sqrt(variance(first) / len(first) + variance(second) / len(second))
    mean = fmean(first) - fmean(second)
    return Difference(mean, error, _relabelled(first, second))


def seeds_needed(
    deviation: float,
    gap: float,
    *,
    level: float = 0.05,
    power: float = 0.8,
    paired: bool = False,
) -> int:
    """Return how many seeds of each way show a difference.

    Args:
        deviation: of the loss from seed to seed, in nats; of the difference
            of a pair where ``paired``.
        gap: the true difference, in nats.
        level: how often a difference of zero may be mistaken for one.
        power: how often the true difference should be found.
        paired: whether each pair shares its seed.

    Returns:
        Two at least, since one run shows no spread. For few seeds the normal
        approximation is a little too low.

    Raises:
        ValueError: ``deviation`` is negative, ``gap`` is 0, or a probability
            is none.

    Source: Cohen 1988, "Statistical Power Analysis for the Behavioral
    Sciences", chapter 2.
    """
    if not deviation >= 0 or not gap != 0:
        raise ValueError(
            f"deviation is {deviation} and gap is {gap}; give a deviation of "
            "0 or more, and a gap that is not 0"
        )
    if not (0 < level < 1 and 0 < power < 1):
        raise ValueError(
            f"level is {level} and power is {power}; give probabilities "
            "between 0 and 1"
        )
    normal = NormalDist()
    reach = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)
    groups = 1 if paired else 2
    return max(2, ceil(groups * (reach * deviation / gap) ** 2))


def _flipped(gaps: Sequence[float]) -> float:
    """The share of sign patterns whose mean is as far from 0."""
    _few_enough(2 ** len(gaps))
    given = abs(fmean(gaps))
    means = [
        abs(fmean(s * g for s, g in zip(signs, gaps, strict=True)))
        for signs in product((1, -1), repeat=len(gaps))
    ]
    return _share(means, given)


def _relabelled(first: Sequence[float], second: Sequence[float]) -> float:
    """The share of ways to split all runs whose means are as far apart."""
    runs = [*first, *second]
    _few_enough(comb(len(runs), len(first)))
    given = abs(fmean(first) - fmean(second))
    total = sum(runs)
    gaps = []
    for chosen in combinations(runs, len(first)):
        part = sum(chosen)
        gaps.append(abs(part / len(first) - (total - part) / len(second)))
    return _share(gaps, given)


def _share(values: Sequence[float], given: float) -> float:
    # Sums in another order differ in their last digit.
    near = given * (1 - 1e-9)
    return sum(value >= near for value in values) / len(values)


def _few_enough(n: int) -> None:
    if n > MOST:
        raise ValueError(
            f"there are {n} ways to relabel the runs, too many to list; "
            "give fewer of them"
        )
