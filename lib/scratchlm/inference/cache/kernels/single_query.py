"""Attention of one query to a cache, as two products of matrices."""

import torch
from jaxtyping import Float
from torch import Tensor

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents, within


class SingleQuery(DotProduct):
    """``DotProduct``, with another way for one query a row.

    PyTorch's kernel for a CPU works on blocks of queries. One query leaves
    most of a block empty, and the kernel repeats the keys that several heads
    share. Here the query heads that share keys are the rows of one product.

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
        grouped = q.reshape(len(q), k.shape[1], -1, q.shape[-1])
        wide = torch.promote_types(q.dtype, torch.float32)
        scores = (grouped @ k.mT).to(wide) * scale
        mask = within(self.mask, documents)
        if mask.hides(1, k.shape[2]) != "nothing":
            visible = mask.visible(1, k.shape[2], q.device)
            scores = scores.masked_fill(~visible, -torch.inf)
        mixed = scores.softmax(-1).to(v.dtype) @ v
        return mixed.reshape(*q.shape[:3], v.shape[-1])
