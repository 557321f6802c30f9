"""How far each pair of axes has turned at each position."""

from collections.abc import Callable
from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

# From plain frequencies to those of a longer context.
Scaling = Callable[[Tensor], Tensor]


def rope_frequencies(d_head: int, theta: float) -> Float[Tensor, " pairs"]:
    """Return how far each pair of axes turns from one position to the next.

    Args:
        d_head: number of axes, even; two of them make a pair.
        theta: the slowest pair turns by about ``1 / theta`` radians.

    Raises:
        ValueError: ``d_head`` is odd, so one axis has no partner.

    Source: Su et al. 2021, "RoFormer", eq. 15.
    """
    if d_head % 2:
        raise ValueError(
            f"{d_head} axes cannot be turned in pairs; use an even width"
        )
    # On the CPU even inside `torch.device("meta")`: a frequency is no
    # parameter, so no checkpoint would bring it back.
    pair = torch.arange(0, d_head, 2, dtype=torch.float64, device="cpu")
    return torch.exp(pair * (-log(theta) / d_head)).float()


class Angles(nn.Module):
    """How far each pair of axes has turned at each position.

    Args:
        d_head: number of axes, even.
        theta: see :func:`rope_frequencies`.
        scaling: changes the frequencies for a longer context.

    Raises:
        ValueError: ``d_head`` is odd.
    """

    frequencies: Tensor

    def __init__(
        self, d_head: int, *, theta: float, scaling: Scaling | None = None
    ):
        super().__init__()
        self.d_head, self.theta, self.scaling = d_head, theta, scaling
        self.register_buffer("frequencies", self._compute(), persistent=False)

    def _compute(self) -> Tensor:
        plain = rope_frequencies(self.d_head, self.theta)
        return plain if self.scaling is None else self.scaling(plain)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> "Angles":
        """Follow the model to another device, but not to another type.

        bfloat16 keeps eight bits of a frequency, and the error grows with
        the position; ``to_empty`` would keep nothing.
        """
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frequencies = self._compute().to(self.frequencies.device)
        return self

    def forward(
        self, positions: Int[Tensor, "*B T"]
    ) -> Float[Tensor, "*B T pairs"]:
        """Return the angles in radians, in float32."""
        return positions.float()[..., None] * self.frequencies
