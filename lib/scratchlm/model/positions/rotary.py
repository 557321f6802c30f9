"""Turn queries and keys by their position."""

from typing import Any

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
        angles: of each position and pair, in radians.
        length: what every vector is multiplied by.
    """

    def __init__(
        self, angles: Float[Tensor, "T pairs"], *, length: float = 1.0
    ):
        cos, sin = angles.cos() * length, angles.sin() * length
        # Both halves at once: (a, b) becomes (a, b) cos + (b, a) (-sin, sin).
        self.cos = torch.cat((cos, cos), -1)
        self.sin = torch.cat((-sin, sin), -1)

    def __call__(self, x: Float[Tensor, "*B T H"]) -> Float[Tensor, "*B T H"]:
        """Return ``x`` with each pair turned, the last axes as they are."""
        n, wide = self.cos.shape[-1], x.shape[-1]
        if n > wide:
            raise ValueError(f"cannot turn {n} of {wide} axes; lower d_rotary")
        if n < wide:
            y = x.clone()  # laid out as x is, which a concatenation is not
            y[..., :n] = self(x[..., :n])
            return y
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        if not torch.is_grad_enabled():
            return _Turn.forward(x, cos, sin)
        return _Turn.apply(x, cos, sin)  # type: ignore[no-untyped-call]


class _Turn(torch.autograd.Function):
    """The backward of a turn is the turn back; no copy of x is kept."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        # One new tensor, laid out as x is: a second one would cost more than
        # the arithmetic, and another layout a copy behind attention.
        y, half = torch.empty_like(x), x.shape[-1] // 2
        y[..., :half], y[..., half:] = x[..., half:], x[..., :half]
        return y.mul_(sin).addcmul_(x, cos)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        back = _Turn.apply(grad, cos, -sin)  # type: ignore[no-untyped-call]
        return back, None, None


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

    def forward(self, positions: Int[Tensor, " T"]) -> Turn:
        """Return the turn for these positions, once for all layers."""
        return Rotation(self.angles(positions), length=self.length)


class NoRotation(nn.Module):
    """Leave queries and keys as they are.

    Args:
        d_head: not used; nor is ``max_tokens``.
    """

    def __init__(self, d_head: int, max_tokens: int):
        super().__init__()

    def forward(self, positions: Int[Tensor, " T"]) -> Turn:
        """Return the function that returns its argument."""
        return unturned
