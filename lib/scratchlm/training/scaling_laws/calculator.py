"""What to do with a budget, by a law that has been fitted."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

from scratchlm.training.scaling_laws.law import (
    PER_WEIGHT,
    Allocation,
    ScalingLaw,
)

# Two operations for each weight: a forward pass alone.
PER_WEIGHT_SERVED = 2
HOUR = 3600.0


def budget(
    device_hours: float, peak_flops: float, utilization: float
) -> float:
    """Return the FLOPs that a share of a machine's time is worth.

    Args:
        device_hours: hours times devices.
        peak_flops: of one device, FLOP/s in the type that is used.
        utilization: what part of them a training run gets, the model FLOPs
            utilization (MFU).

    Raises:
        ValueError: a number is not above 0, or ``utilization`` is above 1.
    """
    if not (device_hours > 0 and peak_flops > 0):
        raise ValueError(
            f"device_hours is {device_hours} and peak_flops {peak_flops}; "
            "give numbers above 0"
        )
    if not 0 < utilization <= 1:
        raise ValueError(
            f"utilization is {utilization}; give a part of the peak, above 0 "
            "and at most 1"
        )
    return device_hours * HOUR * peak_flops * utilization


class Alternative(NamedTuple):
    """A model of another size that reaches the same loss.

    Args:
        run: its size, tokens and loss.
        extra: its training FLOPs over those of the best split, minus 1.
        served: operations of an answer over those of the best split.
    """

    run: Allocation
    extra: float
    served: float


def same_loss(law: ScalingLaw, flops: float, shrink: float) -> Alternative:
    """Return what a model of another size costs that is as good.

    Args:
        law: fitted to runs like these.
        flops: a budget; its best split sets the loss.
        shrink: the size over that of the best split: below 1 the model is
            smaller and trained on more tokens.

    Raises:
        ValueError: ``shrink`` is not above 0, or so small a model never
            reaches the loss.
    """
    if not shrink > 0:
        raise ValueError(f"shrink is {shrink}; give a ratio above 0")
    best = law.optimal(flops)
    n_parameters = best.n_parameters * shrink
    n_tokens = law.tokens_for(best.loss, n_parameters)
    run = Allocation(n_parameters, n_tokens, best.loss)
    return Alternative(run, run.flops / best.flops - 1, shrink)


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """The cheapest way to train a model and then to serve it.

    Args:
        run: size, tokens of training, and loss.
        served_tokens: read and written by users of the model.
    """

    run: Allocation
    served_tokens: float

    @property
    def flops(self) -> float:
        """Operations of training and of serving."""
        served = PER_WEIGHT_SERVED * self.run.n_parameters * self.served_tokens
        return self.run.flops + served


def lifetime_optimum(
    law: ScalingLaw, loss: float, served_tokens: float
) -> Lifetime:
    """Return the split with the fewest FLOPs over training and serving.

    The more a model will be used, the smaller it should be, and the longer
    trained, to be as good.

    Args:
        law: fitted to runs like these.
        loss: that the model must reach, in nats a token.
        served_tokens: that it will read and write in its life; 0 gives the
            best split for training alone.

    Raises:
        ValueError: the loss is not above the floor, or ``served_tokens`` is
            negative.

    Source: Sardana et al. 2023, "Beyond Chinchilla-Optimal: Accounting for
    Inference in Language Model Scaling Laws", eq. 2.
    """
    if not served_tokens >= 0:
        raise ValueError(f"served_tokens is {served_tokens}; give 0 or more")
    largest = law.optimal(law.flops_for(loss)).n_parameters

    def spent(size: float) -> float:
        tokens = law.tokens_for(loss, exp(size))
        served = PER_WEIGHT_SERVED * served_tokens
        return exp(size) * (PER_WEIGHT * tokens + served)

    # Serving makes only smaller models cheaper, so none above is best.
    smallest = law.smallest_for(loss)
    low = log(smallest) + 1e-9 * abs(log(largest / smallest))
    n_parameters = exp(_lowest(spent, low, log(largest)))
    n_tokens = law.tokens_for(loss, n_parameters)
    run = Allocation(n_parameters, n_tokens, loss)
    return Lifetime(run=run, served_tokens=served_tokens)


def _lowest(curve: Callable[[float], float], low: float, high: float) -> float:
    """Where a curve with one valley is lowest, by golden sections.

    Source: Kiefer 1953, "Sequential Minimax Search for a Maximum".
    """
    share = (5**0.5 - 1) / 2
    while high - low > 1e-9 * max(1.0, abs(high)):
        left = high - share * (high - low)
        right = low + share * (high - low)
        if curve(left) < curve(right):
            high = right
        else:
            low = left
    return (low + high) / 2
