"""Keep the residual stream at one scale: LayerNorm and RMSNorm.

Chapter: book/model/block.md.
"""

from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class LayerNorm(nn.Module):
    """Subtract the mean, divide by the deviation.

    Chapter: book/model/block.md.

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
    """Divide by the root mean square. Chapter: book/model/block.md.

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
        """Return ``x`` with mean square 1, scaled."""
        return rms_norm(x, self.weight, self.eps)


def rms_norm(
    x: Float[Tensor, "*B"], weight: Float[Tensor, "*D"], eps: float
) -> Float[Tensor, "*B"]:
    """Apply :class:`RMSNorm` as a function, with its backward by hand.

    Chapter: book/model/block.md.

    Args:
        x: any leading axes, then those of ``weight``.
        weight: what the normed vector is multiplied by.
        eps: added to the mean square.
    """
    return _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]


class _RMSNorm(torch.autograd.Function):
    """PyTorch keeps four tensors of x's size for the composite; this, one.

    With r = 1 / sqrt(mean(x^2) + eps), n = r x and h = g w the gradient of
    x is r (h - n mean(h n)), and that of the weight is the sum of g n.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        axes = tuple(range(-weight.ndim, 0))
        wide = x.float() if x.dtype in _HALF else x
        norm = torch.linalg.vector_norm(wide, dim=axes, keepdim=True)
        inverse = (norm.square() / prod(weight.shape) + eps).rsqrt()
        ctx.save_for_backward(x, weight, inverse)
        return (wide * inverse).mul_(weight).to(x.dtype)

    # `inverse` is kept as a number, so a second derivative would be wrong.
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        axes = tuple(range(-weight.ndim, 0))
        normed = x * inverse
        weight_grad = (grad * normed).sum(tuple(range(x.ndim - weight.ndim)))
        inner = grad * weight
        along = (inner * normed).mean(axes, keepdim=True)
        x_grad = inner.addcmul(normed, along, value=-1).mul_(inverse)
        return x_grad.to(x.dtype), weight_grad.to(weight.dtype), None


_HALF = (torch.bfloat16, torch.float16)
