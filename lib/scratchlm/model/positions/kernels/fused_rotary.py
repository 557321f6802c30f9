"""RoPE in one new tensor, and without a copy kept for the way back."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.model.attention.attention import Turn
from scratchlm.model.positions.rotary import Rotary, Rotation


class FusedRotary(Rotary):
    """``Rotary``, whose turns are of the type :class:`FusedRotation`.

    Args:
        d_head: number of axes of a head that are turned, even.
        max_tokens: not used; a turn goes on for ever.
        theta: see
            :func:`~scratchlm.model.embeddings.angles.rope_frequencies`.
        scaling: changes the frequencies for a longer context.

    Raises:
        ValueError: ``d_head`` is odd.

    Source: Su et al. 2021, "RoFormer", eq. 34.
    """

    def forward(self, positions: Int[Tensor, "*B T"]) -> Turn:
        """Return the turn for these positions, once for all layers."""
        return FusedRotation(self.angles(positions), length=self.length)


class FusedRotation(Rotation):
    """``Rotation``, in one new tensor that is laid out as its argument is.

    Args:
        angles: of each position and pair, in radians; (T, pairs) for all
            rows, or (B, T, pairs).
        length: what every vector is multiplied by.
    """

    def __call__(self, x: Float[Tensor, "*B T H"]) -> Float[Tensor, "*B T H"]:
        """Return ``x`` with each pair turned, the last axes as they are.

        Raises:
            ValueError: there are more axes to turn than ``x`` has.
        """
        self.check_width(x)
        n, wide = self.cos.shape[-1], x.shape[-1]
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
