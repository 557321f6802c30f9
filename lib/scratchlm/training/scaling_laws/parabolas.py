"""Parabolas of equal FLOPs: the best size of each budget, read off a curve.

It assumes no law, and its answer is biased: a curve that is a sum of two
powers is steeper on one side, and the best parabola leans with it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from scratchlm.training.scaling_laws.law import (
    PER_WEIGHT,
    Allocation,
    ScalingLaw,
)
from scratchlm.training.scaling_laws.runs import Runs, without_noise


class PowerLaw(NamedTuple):
    """``factor * x**exponent``.

    Args:
        factor: the value at 1.
        exponent: the slope of the logs.
    """

    factor: float
    exponent: float

    def __call__(self, x: float) -> float:
        """Return the value at ``x``."""
        return float(self.factor * x**self.exponent)


def power_law(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]
) -> PowerLaw:
    """Return the line of least squares through the logs.

    Args:
        x: above 0, two or more different ones.
        y: above 0.

    Raises:
        ValueError: a number is not above 0, or all ``x`` are equal.
    """
    if not ((x > 0).all() and (y > 0).all()) or len(np.unique(x)) < 2:
        raise ValueError(
            f"x is {x} and y is {y}; give numbers above 0, with two or more "
            "different x"
        )
    slope, start = np.polyfit(np.log(x), np.log(y), 1)
    return PowerLaw(float(np.exp(start)), float(slope))


def vertex(runs: Runs) -> Allocation:
    """Return the lowest point of the parabola through runs of one budget.

    The parabola is the loss as a function of the log of the size.

    Args:
        runs: three or more sizes, of equal FLOPs up to a twentieth, since
            a run has a whole number of steps.

    Raises:
        ValueError: they are too few, of different budgets, or the parabola
            opens downwards, so that its vertex is its highest point.

    Source: Hoffmann et al. 2022, section 3.2.
    """
    flops = runs.flops
    if len(np.unique(runs.n_parameters)) < 3:
        raise ValueError(
            f"{len(runs)} runs of {len(np.unique(runs.n_parameters))} sizes "
            "determine no parabola; give three sizes or more"
        )
    if flops.max() > 1.05 * flops.min():
        raise ValueError(
            f"the runs cost {flops.min():.4g} to {flops.max():.4g} FLOPs; "
            "give runs of one budget"
        )
    middle = np.log(runs.n_parameters).mean()
    x = np.log(runs.n_parameters) - middle
    bend, slope, height = np.polyfit(x, runs.loss, 2)
    if not bend > 0:
        raise ValueError(
            "the parabola opens downwards and has no lowest point; give "
            "sizes on both sides of the best one, or runs with less noise"
        )
    place = -slope / (2 * bend)
    n_parameters = float(np.exp(middle + place))
    n_tokens = float(flops.mean()) / PER_WEIGHT / n_parameters
    return Allocation(
        n_parameters, n_tokens, float(height - slope**2 / (4 * bend))
    )


def budgets_of(runs: Runs, within: float = 0.03) -> list[Runs]:
    """Sort runs into groups of one budget, the cheapest first.

    Args:
        runs: in any order.
        within: how far apart, relative to the cheaper, costs of one budget
            may be.
    """
    order = np.argsort(runs.flops, kind="stable")
    starts = [0]
    for place, run in enumerate(order):
        if runs.flops[run] > (1 + within) * runs.flops[order[starts[-1]]]:
            starts.append(place)
    pairs = zip(starts, [*starts[1:], len(order)], strict=True)
    return [runs.take(order[begin:end]) for begin, end in pairs]


class Trend(NamedTuple):
    """How the best size and the best horizon grow with the budget.

    Args:
        vertices: of each budget, the cheapest first.
        n_parameters: as a power of the FLOPs.
        n_tokens: as a power of the FLOPs.
    """

    vertices: list[Allocation]
    n_parameters: PowerLaw
    n_tokens: PowerLaw


def trend(budgets: Sequence[Runs]) -> Trend:
    """Draw a parabola for each budget and a power through their vertices.

    Args:
        budgets: runs of equal FLOPs, two budgets or more.

    Raises:
        ValueError: a budget has no vertex, or there are too few.

    Source: Hoffmann et al. 2022, section 3.2.
    """
    vertices = [vertex(runs) for runs in budgets]
    flops, sizes, tokens = (
        np.array([getattr(found, name) for found in vertices])
        for name in ("flops", "n_parameters", "n_tokens")
    )
    return Trend(vertices, power_law(flops, sizes), power_law(flops, tokens))


def equal_flops(
    law: ScalingLaw,
    flops: float,
    *,
    span: float = 8.0,
    n: int = 16,
    off_centre: float = 1.0,
) -> Runs:
    """Return runs of one budget that follow a law without noise.

    Args:
        law: that they follow.
        flops: of each.
        span: the largest size is this many times the middle one, and the
            middle one this many times the smallest.
        n: how many sizes, at equal ratios.
        off_centre: the middle size over the best one.

    Raises:
        ValueError: ``span`` is not above 1, ``n`` is below 3, or
            ``off_centre`` is not above 0.
    """
    if not (span > 1 and n >= 3 and off_centre > 0):
        raise ValueError(
            f"span is {span}, n is {n} and off_centre is {off_centre}; give "
            "a span above 1, 3 sizes or more, and a ratio above 0"
        )
    middle = law.optimal(flops).n_parameters * off_centre
    sizes = middle * np.geomspace(1 / span, span, n)
    return without_noise(law, sizes, flops / PER_WEIGHT / sizes)


def tokens_bias(  # noqa: PLR0913
    law: ScalingLaw,
    budgets: Sequence[float],
    target: float,
    *,
    span: float = 8.0,
    n: int = 16,
    off_centre: Sequence[float] | None = None,
) -> float:
    """Return how far the parabolas err on runs without any noise.

    Args:
        law: that the runs follow.
        budgets: of the runs, in FLOPs, two or more.
        target: the budget for which the trend is continued.
        span: as :func:`equal_flops` takes it.
        n: as :func:`equal_flops` takes it.
        off_centre: the same for each budget; 1 if None. It differs from
            budget to budget where the sizes were chosen before the best one
            was known.

    Returns:
        The tokens that the trend gives for the target, over the right ones,
        minus 1.

    Raises:
        ValueError: ``off_centre`` has another length than ``budgets``, or a
            setting is out of range.
    """
    shifts = [1.0] * len(budgets) if off_centre is None else off_centre
    if len(shifts) != len(budgets):
        raise ValueError(
            f"off_centre has {len(shifts)} numbers for {len(budgets)} "
            "budgets; give one for each"
        )
    groups = [
        equal_flops(law, flops, span=span, n=n, off_centre=shift)
        for flops, shift in zip(budgets, shifts, strict=True)
    ]
    right = law.optimal(target).n_tokens
    return trend(groups).n_tokens(target) / right - 1
