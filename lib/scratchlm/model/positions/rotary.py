"""Turn queries and keys by their position."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.model.attention.attention import Turn, unturned
from scratchlm.model.embeddings.angles import Angles, Scaling


class Rotation:
    """The turn of each position; call it on queries and on keys.

    Axis ``i`` of the first half is paired with axis ``i`` of the second,
    as in the checkpoints that people publish. Axes beyond them stay.

    Args:
        angles: of each position and pair, in radians; (T, pairs) for all
            rows, or (B, T, pairs).
        length: what every vector is multiplied by.
    """

    def __init__(
        self, angles: Float[Tensor, "*B T pairs"], *, length: float = 1.0
    ):
        if angles.ndim > 2:  # all heads of a row turn alike
            angles = angles.unsqueeze(-3)
        cos, sin = angles.cos() * length, angles.sin() * length
        # Both halves at once: (a, b) becomes (a, b) cos + (b, a) (-sin, sin).
        self.cos = torch.cat((cos, cos), -1)
        self.sin = torch.cat((-sin, sin), -1)

    def __call__(self, x: Float[Tensor, "*B T H"]) -> Float[Tensor, "*B T H"]:
        """Return ``x`` with each pair turned, the last axes as they are.

        Raises:
            ValueError: there are more axes to turn than ``x`` has.
        """
        self.check_width(x)
        n, turned = self.cos.shape[-1], x.clone()
        a, b = x[..., :n].chunk(2, -1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        turned[..., :n] = x[..., :n] * cos + torch.cat((b, a), -1) * sin
        return turned

    def check_width(self, x: Float[Tensor, "*B T H"]) -> None:
        """Refuse heads that are narrower than the turn.

        Raises:
            ValueError: there are more axes to turn than ``x`` has.
        """
        n, wide = self.cos.shape[-1], x.shape[-1]
        if n > wide:
            raise ValueError(f"cannot turn {n} of {wide} axes; lower d_rotary")


class Rotary(nn.Module):
    """RoPE: turn queries and keys by their position.

    The score of two turned vectors depends on their distance alone.

    Args:
        d_head: number of axes of a head that are turned, even.
        max_tokens: not used; a turn goes on for ever.
        theta: see :func:`rope_frequencies`.
        scaling: changes the frequencies for a longer context.

    Raises:
        ValueError: ``d_head`` is odd.

    Source: Su et al. 2021, "RoFormer", eq. 34.
    """

    def __init__(
        self,
        d_head: int,
        max_tokens: int,
        *,
        theta: float = 10_000.0,
        scaling: Scaling | None = None,
    ):
        super().__init__()
        self.angles = Angles(d_head, theta=theta, scaling=scaling)
        # YaRN makes the scores sharper by making queries and keys longer.
        self.length = float(getattr(scaling, "length", 1.0))

    def forward(self, positions: Int[Tensor, "*B T"]) -> Turn:
        """Return the turn for these positions, once for all layers."""
        return Rotation(self.angles(positions), length=self.length)


class NoRotation(nn.Module):
    """Leave queries and keys as they are.

    Args:
        d_head: not used; nor is ``max_tokens``.
    """

    def __init__(self, d_head: int, max_tokens: int):
        super().__init__()

    def forward(self, positions: Int[Tensor, "*B T"]) -> Turn:
        """Return the function that returns its argument."""
        return unturned
