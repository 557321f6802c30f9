"""Keep the residual stream at one scale: LayerNorm and RMSNorm."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class LayerNorm(nn.Module):
    """Subtract the mean, divide by the deviation.

    Computes ``weight * (x - mean) / sqrt(variance + eps) + bias`` over the
    last axis.

    Args:
        d_model: width of the residual stream.
        eps: added to the variance, so that a constant vector stays finite.
        bias: whether a learned shift is added.

    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", eq. 4.
    """

    def __init__(self, d_model: int, *, eps: float = 1e-5, bias: bool = True):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model)) if bias else None

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return ``x`` with mean 0 and variance 1, scaled and shifted."""
        return F.layer_norm(
            x, self.weight.shape, self.weight, self.bias, self.eps
        )


class RMSNorm(nn.Module):
    """Divide by the root mean square.

    Computes ``weight * x / sqrt(mean(x * x) + eps)`` in float32 whatever
    the type of ``x``.

    Args:
        shape: the width D, or the last axes over which one mean is taken:
            ``(N, H)`` norms all heads of a token together.
        eps: added to the mean square, so that a zero vector stays zero.

    Source: Zhang and Sennrich 2019, "Root Mean Square Layer
    Normalization", eq. 4.
    """

    def __init__(self, shape: int | tuple[int, ...], *, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(shape))

    def forward(self, x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Return ``x`` with mean square 1, scaled.

        Raises:
            ValueError: see :func:`rms_norm`.
        """
        return rms_norm(x, self.weight, self.eps)


def norm_each_head(n_heads: int, d_head: int, *, eps: float = 1e-6) -> RMSNorm:
    """Make a norm that treats each head alone, with one weight for all.

    Source: Qwen Team 2025, "Qwen3 Technical Report", sec. 2.
    """
    return RMSNorm(d_head, eps=eps)


def norm_all_heads(n_heads: int, d_head: int, *, eps: float = 1e-6) -> RMSNorm:
    """Make a norm over all heads of a token together.

    Source: OLMo Team 2024, "2 OLMo 2 Furious", sec. 3.2.
    """
    return RMSNorm((n_heads, d_head), eps=eps)


def rms_norm(
    x: Float[Tensor, "*B"], weight: Float[Tensor, "*D"], eps: float
) -> Float[Tensor, "*B"]:
    """Apply :class:`RMSNorm` as a function.

    Args:
        x: any leading axes, then those of ``weight``.
        weight: what the normed vector is multiplied by.
        eps: added to the mean square.

    Raises:
        ValueError: the last axes of ``x`` are not those of ``weight``.
    """
    check_axes(x, weight)
    # PyTorch has a fused kernel on a GPU, its compiler fuses the composite,
    # and without a backward its one call beats ours on a few tokens. Left
    # to do better in is a CPU, uncompiled: training is 2 to 4 times as fast
    # as the composite (measured, 4096 tokens of D 64 to 1024), and many
    # tokens without a backward 1.3 to 1.6 times (measured, 2048 of 256).
    by_hand = x.is_cpu and (torch.is_grad_enabled() or x.numel() > 1 << 17)
    if torch.compiler.is_compiling() or not by_hand:
        if weight.dtype == x.dtype:
            return F.rms_norm(x, weight.shape, weight, eps)
        # A weight of 1.003 is 1 in bfloat16: the wider type decides.
        wide = torch.promote_types(x.dtype, weight.dtype)
        y = F.rms_norm(x.to(wide), weight.shape, weight.to(wide), eps)
        return y.to(x.dtype)
    if not torch.is_grad_enabled():
        return _normalize(x, weight, eps)[0]
    return _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]


def check_axes(x: Tensor, weight: Tensor) -> None:
    """Refuse vectors of another width.

    Read as rows of the weight's width they would give numbers all the same.

    Args:
        x: what is to be normed.
        weight: of the norm.

    Raises:
        ValueError: the last axes of ``x`` are not those of ``weight``.
    """
    if x.shape[x.ndim - weight.ndim :] != weight.shape:
        raise ValueError(
            f"x has the shape {tuple(x.shape)}, whose last axes are not the "
            f"norm's, {tuple(weight.shape)}; make the norm for this width"
        )


def _normalize(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return the normed vectors, and r of each."""
    rows, scale = _rows(x, weight), _wide(weight).flatten()
    norm = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    inverse = (norm.square() / weight.numel() + eps).rsqrt()
    own = None if rows.dtype == x.dtype else rows  # a widened copy
    y = torch.mul(rows, inverse, out=own).mul_(scale)
    return y.to(x.dtype).view(x.shape), inverse


class _RMSNorm(torch.autograd.Function):
    """Forward and backward in few passes over memory.

    With r = 1 / sqrt(mean(x^2) + eps) and h = g w the gradient of x is
    r (h - x r^2 mean(h x)), and that of the weight is the sum of g x r.
    Both need the product g x, and matrix products read it without storing
    more. Kept for backward is x alone; the composite keeps it twice.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        y, inverse = _normalize(x, weight, eps)
        ctx.save_for_backward(x, weight, inverse)
        return y

    # `inverse` is kept as a number, so a second derivative would be wrong.
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        rows, scale = _rows(x, weight), _wide(weight).flatten()
        grad_rows = _rows(grad, weight)
        product = grad_rows * rows
        weight_grad = (inverse.mT @ product).to(weight.dtype)
        along = (product @ scale).unsqueeze(-1)
        along *= inverse.square() / -weight.numel()
        x_grad = torch.mul(grad_rows, scale, out=product)
        x_grad = x_grad.addcmul_(rows, along).mul_(inverse).to(x.dtype)
        return x_grad.view(x.shape), weight_grad.view(weight.shape), None


def _rows(x: Tensor, weight: Tensor) -> Tensor:
    return _wide(x).reshape(-1, weight.numel())


def _wide(x: Tensor) -> Tensor:
    """Half precision keeps 8 or 11 bits, too few for squares and sums."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
