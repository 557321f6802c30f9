"""PyTorch's attention, with masks made once and a backward in float32."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents

_FORWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
# Below this many axes a head's backward in bfloat16 is the slower one.
_NARROW = 64


class WideBackward(DotProduct):
    """``DotProduct`` whose backward is in float32 where that is faster.

    It is for narrow heads in bfloat16 on a CPU. In rows of several documents
    all layers share a mask of numbers, which PyTorch would otherwise make of
    the one of truth values, and keep, in each.

    Args:
        n_heads: number of query heads N; not used by this core.
        mask: which keys a query may see.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.

    Source: Vaswani et al. 2017, "Attention Is All You Need", eq. 1.
    """

    def forward(
        self,
        q: Float[Tensor, "B N T H"],
        k: Float[Tensor, "B K S H"],
        v: Float[Tensor, "B K S Hv"],
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up."""
        hidden = self.mask.hides(q.shape[-2], k.shape[-2])
        half = _narrow_and_half(q, k, v)
        apply: Callable[..., Tensor] = _FloatBackward.apply
        if documents is not None:
            dtype = torch.float32 if half else q.dtype
            added = documents.added(self.mask, q.shape[-2], dtype)
            if half:
                return apply(q, k, v, False, self.scale, added)
            return F.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=added,
                scale=self.scale,
                enable_gqa=q.shape[1] != k.shape[1],
            )
        if hidden == "more" or not half:
            return super().forward(q, k, v)
        return apply(q, k, v, hidden == "future", self.scale, None)


def _narrow_and_half(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether a backward will come for which float32 is the faster."""
    return (
        torch.is_grad_enabled()
        and q.shape[-1] == v.shape[-1] < _NARROW
        and all(_known(each) for each in (q, k, v))
    )


def _known(x: Tensor) -> bool:
    """Whether the kernel that is called below its name can read it."""
    return (
        x.is_cpu
        and x.dtype == torch.bfloat16
        and x.numel() > 0
        and x.stride(-1) == 1
    )


class _FloatBackward(torch.autograd.Function):
    """PyTorch's kernel, forward in bfloat16 and backward in float32.

    What the forward leaves for it, the logarithm of each row's sum, is
    float32 in any case. The backward is 3.1 times as fast in sequences of
    128, 1.9 in 256 and 1.2 in 2048 (measured, 2048 tokens, 14 heads of 32
    axes, conversions counted in); with 64 axes and 256 tokens it is slower.
    """

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        causal: bool,
        scale: float | None,
        added: Tensor | None,
    ) -> Tensor:
        ctx.shared, ctx.how = q.shape[1] // k.shape[1], (0.0, causal)
        ctx.scale = scale
        wide = (_repeat(each, ctx.shared) for each in (k, v))
        out, log_sums = _FORWARD(
            q, *wide, *ctx.how, attn_mask=added, scale=scale
        )
        ctx.save_for_backward(q, k, v, out, log_sums, added)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        *kept, log_sums, added = ctx.saved_tensors
        q, k, v, out = (each.float() for each in kept)
        k, v = (_repeat(each, ctx.shared) for each in (k, v))
        dq, dk, dv = _BACKWARD(
            *(grad.float(), q, k, v, out, log_sums, *ctx.how),
            attn_mask=added,
            scale=ctx.scale,
        )
        dk, dv = (
            each.unflatten(1, (-1, ctx.shared)).sum(2) for each in (dk, dv)
        )
        grads = (each.to(grad.dtype) for each in (dq, dk, dv))
        return *grads, None, None, None


def _repeat(x: Tensor, shared: int) -> Tensor:
    """Give each query head of a group its own keys; a view for groups of 1."""
    return x.unsqueeze(2).expand(-1, -1, shared, -1, -1).flatten(1, 2)
