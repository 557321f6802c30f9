"""Scores, mask, softmax, mixture: what attention does between projections.

A core takes queries, keys and values and returns the mixed values. The
queries are always the last T of the S positions that have a key, so a core
needs no cache and no counter to know where it stands.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.attention.documents import Documents, within
from scratchlm.model.attention.masks import CAUSAL, Mask


class DotProduct(nn.Module):
    """Attention as PyTorch ships it.

    Computes ``softmax(scale * q k^T + mask) v`` without holding the T by S
    weights in memory where PyTorch has a kernel for the case.

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
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up."""
        n_tokens, n_keys = q.shape[-2], k.shape[-2]
        mask = within(self.mask, documents)
        hidden = mask.hides(n_tokens, n_keys)
        visible = None
        if hidden == "more":
            visible = mask.visible(n_tokens, n_keys, q.device)
        return F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=visible,
            is_causal=hidden == "future",
            scale=self.scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )


class ScoredAttention(nn.Module):
    """Attention whose scores are changed before the softmax.

    Holds all T by S scores, so that any function of them can be read and
    differentiated. PyTorch's FlexAttention compiles such a function into a
    kernel that holds none; on a CPU it has no backward.
    Subclasses say in :meth:`adjust` what is done to the scores.

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
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up."""
        shared = q.shape[1] // k.shape[1]
        k, v = (each.repeat_interleave(shared, 1) for each in (k, v))
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        scores = self.adjust(q @ k.mT * scale)
        mask = within(self.mask, documents)
        visible = mask.visible(q.shape[-2], k.shape[-2], q.device)
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
