"""RMSNorm as one Triton kernel in each direction."""

from typing import Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from scratchlm.model.block.norm import RMSNorm, check_axes
from scratchlm.model.efficient_attention.kernels.triton_launch import (
    padded,
    require_runnable,
    triton,
)

tl = triton.language
# Each program of the backward pass adds up the weight's gradient of so many
# rows; one sum for each row would be as large as the gradient of x. Guessed.
ROWS = 32


class TritonRMSNorm(RMSNorm):
    """``RMSNorm`` in one pass over memory.

    Args:
        shape: the width D, or the last axes over which one mean is taken.
        eps: added to the mean square, so that a zero vector stays zero.

    Source: Zhang and Sennrich 2019, "Root Mean Square Layer
    Normalization", eq. 4.
    """

    def forward(self, x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Return ``x`` with mean square 1, scaled.

        Raises:
            ValueError: see :func:`triton_rms_norm`.
        """
        return triton_rms_norm(x, self.weight, self.eps)


def triton_rms_norm(
    x: Float[Tensor, "*B"], weight: Float[Tensor, "*D"], eps: float
) -> Float[Tensor, "*B"]:
    """Apply :class:`TritonRMSNorm` as a function.

    Args:
        x: any leading axes, then those of ``weight``.
        weight: what the normed vector is multiplied by.
        eps: added to the mean square.

    Raises:
        ValueError: a tensor is not on a GPU, and Triton's interpreter does
            not run; it has 64 bits; or the last axes of ``x`` are not those
            of ``weight``.
    """
    check_axes(x, weight)
    require_runnable(_normalize, x, weight)
    rows = x.reshape(-1, weight.numel())
    apply: Any = _TritonRMSNorm.apply
    return apply(rows, weight.flatten(), eps).view(x.shape)


class _TritonRMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        x, weight = x.contiguous(), weight.contiguous()
        n_rows, width = x.shape
        y = torch.empty_like(x)
        inverse = x.new_empty(n_rows, dtype=torch.float32)
        if n_rows:
            launch = _launch(width)
            _normalize[(n_rows,)](x, weight, y, inverse, eps, **launch)
        ctx.save_for_backward(x, weight, inverse)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        n_rows, width = x.shape
        n_programs = triton.cdiv(n_rows, ROWS)
        x_grad = torch.empty_like(x)
        parts = x.new_empty(n_programs, width, dtype=torch.float32)
        if n_rows:
            given = grad.contiguous(), x, weight, inverse, x_grad, parts
            _differentiate[(n_programs,)](
                *given, n_rows, ROWS=ROWS, **_launch(width)
            )
        return x_grad, parts.sum(0).to(weight.dtype), None


def _launch(width: int) -> dict[str, int]:
    pad = padded(width)
    # Eight numbers for each of the 32 threads of a warp. Guessed.
    warps = min(max(pad // 256, 1), 16)
    return {"WIDTH": width, "PAD": pad, "num_warps": warps}


# The types of a kernel's arguments are Triton's to check: a checker that
# wraps the function would hide its source.
@triton.jit
@no_type_check
def _normalize(
    x_ptr, weight_ptr, y_ptr, inverse_ptr, eps,
    WIDTH: tl.constexpr, PAD: tl.constexpr,
):  # fmt: skip
    # Rows times width may exceed 32 bits.
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, PAD)
    inside = at < WIDTH
    x = tl.load(x_ptr + row * WIDTH + at, mask=inside, other=0.0)
    x = x.to(tl.float32)
    inverse = tl.rsqrt(tl.sum(x * x, 0) / WIDTH + eps)
    weight = tl.load(weight_ptr + at, mask=inside, other=0.0)
    y = (x * inverse * weight.to(tl.float32)).to(y_ptr.dtype.element_ty)
    tl.store(y_ptr + row * WIDTH + at, y, mask=inside)
    tl.store(inverse_ptr + row, inverse)


@triton.jit
@no_type_check
def _differentiate(
    grad_ptr,
    x_ptr,
    weight_ptr,
    inverse_ptr,
    x_grad_ptr,
    parts_ptr,
    n_rows,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    PAD: tl.constexpr,
):
    first = tl.program_id(0).to(tl.int64) * ROWS
    at = tl.arange(0, PAD)
    inside = at < WIDTH
    weight = tl.load(weight_ptr + at, mask=inside, other=0.0).to(tl.float32)
    part = tl.zeros((PAD,), tl.float32)
    for row in range(first, tl.minimum(first + ROWS, n_rows)):
        place = row * WIDTH + at
        x = tl.load(x_ptr + place, mask=inside, other=0.0).to(tl.float32)
        grad = tl.load(grad_ptr + place, mask=inside, other=0.0)
        grad = grad.to(tl.float32)
        inverse = tl.load(inverse_ptr + row)
        normed = x * inverse
        inner = grad * weight
        along = tl.sum(inner * normed, 0) / WIDTH
        x_grad = (inner - normed * along) * inverse
        x_grad = x_grad.to(x_grad_ptr.dtype.element_ty)
        tl.store(x_grad_ptr + place, x_grad, mask=inside)
        part += grad * normed
    tl.store(parts_ptr + tl.program_id(0) * WIDTH + at, part, mask=inside)
