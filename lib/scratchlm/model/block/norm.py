"""Keep the residual stream at one scale: LayerNorm and RMSNorm."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
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
            ValueError: the last axes of ``x`` are not those of the weight.
        """
        check_axes(x, self.weight)
        axes = tuple(range(-self.weight.ndim, 0))
        # Half precision keeps 8 or 11 bits, too few for squares and sums.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        r = (wide.square().mean(axes, keepdim=True) + self.eps).rsqrt()
        return (wide * r * self.weight).to(x.dtype)


def check_axes(x: Tensor, weight: Tensor) -> None:
    """Refuse vectors of another width.

    A weight of one number would be broadcast, and vectors that are read as
    rows of the weight's width would give numbers all the same.

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


def norm_each_head(
    n_heads: int,
    d_head: int,
    *,
    eps: float = 1e-6,
    norm: Callable[..., nn.Module] = RMSNorm,
) -> nn.Module:
    """Make a norm that treats each head alone, with one weight for all.

    Args:
        n_heads: number of heads; not used.
        d_head: width H of a head.
        eps: added to the mean square.
        norm: called with a shape and ``eps=``.

    Source: Qwen Team 2025, "Qwen3 Technical Report", sec. 2.
    """
    return norm(d_head, eps=eps)


def norm_all_heads(
    n_heads: int,
    d_head: int,
    *,
    eps: float = 1e-6,
    norm: Callable[..., nn.Module] = RMSNorm,
) -> nn.Module:
    """Make a norm over all heads of a token together.

    Args:
        n_heads: number of heads.
        d_head: width H of a head.
        eps: added to the mean square.
        norm: called with a shape and ``eps=``.

    Source: OLMo Team 2024, "2 OLMo 2 Furious", sec. 3.2.
    """
    return norm((n_heads, d_head), eps=eps)
