"""Attention of one query to a cache, as sums that a compiler joins."""

import torch
from jaxtyping import Float
from torch import Tensor

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents, within


class SingleQuery(DotProduct):
    """``DotProduct``, with another way for one query a row.

    PyTorch's kernel for a CPU works on blocks of queries. One query leaves
    most of a block empty, and the kernel repeats the keys that several heads
    share. Here each score is a sum over the axes of a head and each value one
    over the keys, in float32. Compiled, they become loops that read a cache
    in 16 bits as fast as one in 32, and need no call of a library, so that
    all of a block can be one function.

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
        if q.shape[2] > 1:
            return super().forward(q, k, v, documents)
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        wide = torch.promote_types(q.dtype, torch.float32)
        grouped = q.reshape(len(q), k.shape[1], -1, 1, q.shape[-1]).to(wide)
        scores = (grouped * k[:, :, None].to(wide)).sum(-1) * scale
        mask = within(self.mask, documents)
        if mask.hides(1, k.shape[2]) != "nothing":
            visible = mask.visible(1, k.shape[2], q.device)
            scores = scores.masked_fill(~visible, -torch.inf)
        weights = scores.softmax(-1)[..., None]
        mixed = (weights * v[:, :, None].to(wide)).sum(-2).to(v.dtype)
        return mixed.reshape(*q.shape[:3], v.shape[-1])
