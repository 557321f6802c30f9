"""Numbers of sixteen bits: where they may be used, and what keeps them safe.

Weights, gradients of weights and the optimizer's state stay in float32.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def find_dtype(name: str) -> torch.dtype:
    """Return the type that a run computes in.

    Args:
        name: ``"float32"``, ``"bfloat16"`` or ``"float16"``.

    Raises:
        ValueError: for another name.
    """
    if name not in DTYPES:
        raise ValueError(f"dtype is {name!r}; give one of {', '.join(DTYPES)}")
    return DTYPES[name]


def autocast(
    dtype: torch.dtype, device: torch.device | str
) -> AbstractContextManager[Any]:
    """Let matrix products take and give a type of sixteen bits.

    Sums that lose too much in it, such as a loss, stay in float32.

    Args:
        dtype: float32 changes nothing.
        device: where the model is.

    Source: Micikevicius et al. 2018, "Mixed Precision Training".
    """
    kind = torch.device(device).type
    wanted = dtype != torch.float32
    return torch.autocast(kind, dtype, enabled=wanted)


@dataclass
class LossScale:
    """A factor that lifts small gradients into the range of float16.

    The loss is multiplied by it before the backward pass, and the gradients
    are divided by it after. It halves when a gradient overflows, in which
    case the step is not taken, and doubles after many steps without.

    Args:
        factor: to begin with, a power of two, so that nothing is rounded.
        patience: good steps before it doubles.
        least: it never falls below.
        most: it never rises above.

    Raises:
        ValueError: ``least``, ``factor`` and ``most`` are not in order above
            0, or ``patience`` is below 1.

    Source: Micikevicius et al. 2018, "Mixed Precision Training", section
    3.2; defaults as torch.amp.GradScaler's.
    """

    factor: float = 2.0**16
    patience: int = 2000
    least: float = 1.0
    most: float = 2.0**24
    good_steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.least <= self.factor <= self.most:
            raise ValueError(
                f"least {self.least}, factor {self.factor} and most "
                f"{self.most} must be in this order, above 0"
            )
        if self.patience < 1:
            raise ValueError(f"patience is {self.patience}; give 1 or more")

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss that the backward pass begins with."""
        return loss * self.factor

    @torch.no_grad()
    def unscale(self, gradients: list[Tensor]) -> None:
        """Divide gradients by the factor, in place."""
        for gradient in gradients:
            gradient.div_(self.factor)

    def update(self, finite: bool) -> bool:
        """Adapt the factor after a step.

        Args:
            finite: whether all gradients were.

        Returns:
            Whether a step that was not finite is this factor's fault, and a
            smaller one may mend it.
        """
        if finite:
            self.good_steps += 1
            if self.good_steps == self.patience:
                self.factor = min(2 * self.factor, self.most)
                self.good_steps = 0
            return False
        blamed = self.factor > self.least
        self.factor = max(self.factor / 2, self.least)
        self.good_steps = 0
        return blamed

    def state_dict(self) -> dict[str, float | int]:
        """Return what changes."""
        return {"factor": self.factor, "good_steps": self.good_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take what :meth:`state_dict` returned."""
        self.factor = float(state["factor"])
        self.good_steps = int(state["good_steps"])


def unscaled() -> LossScale:
    """Return a factor of one for good, for types whose range is wide."""
    return LossScale(1.0, least=1.0, most=1.0)


def loss_scale(dtype: torch.dtype) -> LossScale:
    """Return the loss scale that a type needs.

    Args:
        dtype: float16 has a narrow range; float32 and bfloat16 do not.
    """
    return LossScale() if dtype == torch.float16 else unscaled()
