"""How much of its time a run uses, between checkpoints and failures."""

from dataclasses import dataclass
from math import exp, expm1, sqrt

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Failures of a run, and what each costs. All numbers are seconds.

    Args:
        mean_time: M, from one failure of the run to the next one, in
            the mean. Failures come at any time alike.
        checkpoint: C, for which a checkpoint stops the training.
        restart: R, from a failure until training goes on.

    Raises:
        ValueError: a number is out of range.
    """

    mean_time: float
    checkpoint: float
    restart: float = 0.0

    def __post_init__(self) -> None:
        if not (self.mean_time > 0 and self.checkpoint > 0):
            raise ValueError(
                f"mean_time is {self.mean_time} and checkpoint "
                f"{self.checkpoint}; give seconds above 0"
            )
        if not self.restart >= 0:
            raise ValueError(
                f"restart is {self.restart}; give seconds from 0 on"
            )


def between_failures(device: float, n_devices: int) -> float:
    """Return the mean time between failures of all devices together.

    A run on all of them fails when one of them does.

    Args:
        device: mean time between failures of one.
        n_devices: how many.

    Returns:
        In the unit of ``device``.

    Raises:
        ValueError: a number is not above 0.
    """
    if not (device > 0 and n_devices > 0):
        raise ValueError(
            f"device is {device} and n_devices {n_devices}; give numbers "
            "above 0"
        )
    return device / n_devices


def failure_probability(seconds: float, mean: float) -> float:
    """Return how likely a failure is within a time.

    Args:
        seconds: the time.
        mean: between failures, in the same unit.
    """
    return -expm1(-seconds / mean)


def goodput(interval: float, failures: Failures) -> float:
    """Return the part of its time in which a run makes steps that count.

    A piece of ``interval`` seconds of steps and a checkpoint takes, with all
    that is done again, M·exp(R / M)·(exp((interval + C) / M) − 1) seconds in
    the mean.

    Args:
        interval: seconds of training between two checkpoints.
        failures: of the run, and what they cost.

    Returns:
        From 0 to 1.

    Source: Daly 2006, "A higher order estimate of the optimum checkpoint
    interval for restart dumps", eq. 20.
    """
    _check_interval(interval)
    m = failures.mean_time
    piece = (interval + failures.checkpoint) / m
    # Of the formula above and below the line times exp(-piece), which may
    # be zero where exp(piece) would be more than a number can be.
    lost = -expm1(-piece)
    return interval / m * exp(-piece - failures.restart / m) / lost


def young_interval(failures: Failures) -> float:
    """Return the interval that loses least, to first order.

    A checkpoint every τ seconds costs C / τ of the time, and a failure loses
    τ / 2 in the mean, τ / 2M of the time. The sum is least at sqrt(2CM).

    Args:
        failures: of the run, and what they cost.

    Returns:
        Seconds of training between two checkpoints.

    Source: Young 1974, "A first order approximation to the optimum
    checkpoint interval".
    """
    return sqrt(2 * failures.checkpoint * failures.mean_time)


def daly_interval(failures: Failures) -> float:
    """Return the interval that loses least, to higher order.

    Args:
        failures: of the run, and what they cost.

    Returns:
        Seconds of training between two checkpoints.

    Source: Daly 2006, eq. 37.
    """
    c, m = failures.checkpoint, failures.mean_time
    if c >= 2 * m:
        return m
    root = sqrt(c / (2 * m))
    return sqrt(2 * c * m) * (1 + root / 3 + root**2 / 9) - c


def simulate_goodput(
    interval: float, failures: Failures, *, work: float, seed: int
) -> float:
    """Run a clock through failures, and return what :func:`goodput` means.

    Args:
        interval: seconds of training between two checkpoints.
        failures: of the run, and what they cost.
        work: seconds of training that the run needs.
        seed: of the failures.

    Returns:
        ``work`` over the time that it took.

    Raises:
        ValueError: the interval or the work is not above 0.
    """
    _check_interval(interval)
    if not work > 0:
        raise ValueError(f"work is {work}; give seconds above 0")
    draws = np.random.default_rng(seed)
    clock = kept = 0.0
    failure = draws.exponential(failures.mean_time)
    while kept < work:
        piece = min(interval, work - kept)
        # The last piece has a checkpoint too: it is the result.
        end = clock + piece + failures.checkpoint
        if end <= failure:
            clock, kept = end, kept + piece
            continue
        clock = failure  # all since the last checkpoint is lost
        while True:
            failure = clock + draws.exponential(failures.mean_time)
            if clock + failures.restart <= failure:
                break
            clock = failure  # it failed again before it went on
        clock += failures.restart
    return work / clock


def _check_interval(interval: float) -> None:
    if not interval > 0:
        raise ValueError(
            f"interval is {interval}; give seconds above 0 between two "
            "checkpoints"
        )
