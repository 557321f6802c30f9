"""Scores, mask, softmax, mixture: what attention does between projections.

A core takes queries, keys and values and returns the mixed values. The
queries are always the last T of the S positions that have a key, so a core
needs no cache and no counter to know where it stands.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.attention.masks import CAUSAL, Mask

_FORWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
# Below this many axes a head's backward in bfloat16 is the slower one.
_NARROW = 64


class DotProduct(nn.Module):
    """Attention as PyTorch ships it.

    Computes ``softmax(scale * q k^T + mask) v`` without holding the T by S
    weights in memory where PyTorch has a kernel for the case. Narrow heads
    in bfloat16 on a CPU have their gradients computed in float32, which
    is faster there.

    Args:
        n_heads: number of query heads N; not used by this core.
        mask: which keys a query may see.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.

    Source: Vaswani et al. 2017, "Attention Is All You Need", eq. 1.
    """

    def __init__(
        self,
        n_heads: int,
        *,
        mask: Mask = CAUSAL,
        scale: float | None = None,
    ):
        super().__init__()
        self.mask, self.scale = mask, scale

    def forward(
        self,
        q: Float[Tensor, "B N T H"],
        k: Float[Tensor, "B K S H"],
        v: Float[Tensor, "B K S Hv"],
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up."""
        n_tokens, n_keys = q.shape[-2], k.shape[-2]
        hidden = self.mask.hides(n_tokens, n_keys)
        if hidden != "more" and _narrow_and_half(q, k, v):
            causal = hidden == "future"
            apply: Callable[..., Tensor] = _WideBackward.apply
            return apply(q, k, v, causal, self.scale)
        visible = None
        if hidden == "more":
            visible = self.mask.visible(n_tokens, n_keys, q.device)
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=visible,
            is_causal=hidden == "future",
            scale=self.scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )


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


class _WideBackward(torch.autograd.Function):
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
    ) -> Tensor:
        ctx.shared, ctx.how = q.shape[1] // k.shape[1], (0.0, causal)
        ctx.scale = scale
        wide = (_repeat(each, ctx.shared) for each in (k, v))
        out, log_sums = _FORWARD(q, *wide, *ctx.how, scale=scale)
        ctx.save_for_backward(q, k, v, out, log_sums)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        *kept, log_sums = ctx.saved_tensors
        q, k, v, out = (each.float() for each in kept)
        k, v = (_repeat(each, ctx.shared) for each in (k, v))
        dq, dk, dv = _BACKWARD(
            grad.float(), q, k, v, out, log_sums, *ctx.how, scale=ctx.scale
        )
        dk, dv = (
            each.unflatten(1, (-1, ctx.shared)).sum(2) for each in (dk, dv)
        )
        return *(each.to(grad.dtype) for each in (dq, dk, dv)), None, None


def _repeat(x: Tensor, shared: int) -> Tensor:
    """Give each query head of a group its own keys; a view for groups of 1."""
    return x.unsqueeze(2).expand(-1, -1, shared, -1, -1).flatten(1, 2)


class ScoredAttention(nn.Module):
    """Attention whose scores are changed before the softmax.

    Holds all T by S scores, as PyTorch's kernels give no access to them.
    Subclasses say in :meth:`adjust` what is done to them.

    Args:
        n_heads: number of query heads N.
        mask: which keys a query may see.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.
    """

    def __init__(
        self,
        n_heads: int,
        *,
        mask: Mask = CAUSAL,
        scale: float | None = None,
    ):
        super().__init__()
        self.mask, self.scale = mask, scale

    def adjust(
        self, scores: Float[Tensor, "B N T S"]
    ) -> Float[Tensor, "B N T S"]:
        """Return the scores that enter the softmax."""
        return scores

    def forward(
        self,
        q: Float[Tensor, "B N T H"],
        k: Float[Tensor, "B K S H"],
        v: Float[Tensor, "B K S Hv"],
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up."""
        shared = q.shape[1] // k.shape[1]
        k, v = (each.repeat_interleave(shared, 1) for each in (k, v))
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        scores = self.adjust(q @ k.mT * scale)
        visible = self.mask.visible(q.shape[-2], k.shape[-2], q.device)
        scores = scores.masked_fill(~visible, -torch.inf)
        # In float32 at least: bfloat16 cannot tell a weight of 0.998 from 1.
        wide = torch.promote_types(scores.dtype, torch.float32)
        return scores.softmax(-1, dtype=wide).to(v.dtype) @ v


class Softcapped(ScoredAttention):
    """Keep scores between ``-cap`` and ``cap``.

    Args:
        n_heads: number of query heads N.
        cap: the bound; scores far below it hardly change.
        mask: which keys a query may see.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.

    Source: Gemma Team 2024, "Gemma 2", sec. 2.
    """

    def __init__(
        self,
        n_heads: int,
        *,
        cap: float,
        mask: Mask = CAUSAL,
        scale: float | None = None,
    ):
        super().__init__(n_heads, mask=mask, scale=scale)
        self.cap = cap

    def adjust(
        self, scores: Float[Tensor, "B N T S"]
    ) -> Float[Tensor, "B N T S"]:
        """Return ``cap * tanh(scores / cap)``."""
        return self.cap * torch.tanh(scores / self.cap)
