"""How the learning rate changes over a run.

A schedule is called with the number of a step, from 0, and returns what part
of the peak the learning rate is.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The peak, after a warm-up.

    Args:
        warmup: steps in which the rate rises in a line. The first step has
            a part of the peak, not zero, or it would teach nothing.

    Raises:
        ValueError: ``warmup`` is negative.
    """

    warmup: int = 0

    def __post_init__(self) -> None:
        if self.warmup < 0:
            raise ValueError(
                f"the warm-up has {self.warmup} steps; give 0 or more"
            )

    def __call__(self, step: int) -> float:
        """Return the part of the peak at a step, counted from 0."""
        return min(1.0, (step + 1) / (self.warmup + 1))


@dataclass(frozen=True, kw_only=True)
class _Ending(Constant):
    n_steps: int
    floor: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_steps < self.warmup + 2:
            raise ValueError(
                f"a run of {self.n_steps} steps has no room for a warm-up of "
                f"{self.warmup}, the peak and the floor; warm up for fewer "
                "steps"
            )
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor is {self.floor}; give a part of the peak")


@dataclass(frozen=True, kw_only=True)
class Cosine(_Ending):
    """A warm-up, then half a cosine down to a floor.

    The last step has exactly the floor, and so have all steps beyond it.

    Args:
        warmup: steps in which the rate rises in a line.
        n_steps: of the whole run.
        floor: the part of the peak at which the run ends.

    Raises:
        ValueError: the run has no room for warm-up, peak and floor, or
            ``floor`` is no part.

    Source: Loshchilov and Hutter 2017, "SGDR"; the floor of a tenth as in
    Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models".
    """

    def __call__(self, step: int) -> float:
        """Return the part of the peak at a step, counted from 0."""
        if step < self.warmup:
            return super().__call__(step)
        way = (step - self.warmup) / (self.n_steps - 1 - self.warmup)
        down = (1 + math.cos(math.pi * min(1.0, way))) / 2
        return self.floor + (1 - self.floor) * down


@dataclass(frozen=True, kw_only=True)
class WarmupStableDecay(_Ending):
    """A warm-up, a long plateau, and a line down to a floor.

    The plateau does not know how long the run is, so a run can be prolonged,
    or ended from any of its checkpoints.

    Args:
        warmup: steps in which the rate rises in a line.
        n_steps: of the whole run.
        floor: the part of the peak at which the run ends.
        decay: how many steps the way down takes.

    Raises:
        ValueError: warm-up and decay do not fit into the run, or ``floor``
            is no part.

    Source: Hu et al. 2024, "MiniCPM", section 4; Hagele et al. 2024,
    "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations", for the line.
    """

    decay: int
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.decay < self.n_steps - self.warmup:
            raise ValueError(
                f"a decay of {self.decay} steps does not fit behind a "
                f"warm-up of {self.warmup} in a run of {self.n_steps}"
            )

    def __call__(self, step: int) -> float:
        """Return the part of the peak at a step, counted from 0."""
        left = max(0, self.n_steps - 1 - step) / self.decay
        down = self.floor + (1 - self.floor) * min(1.0, left)
        return min(super().__call__(step), down)
