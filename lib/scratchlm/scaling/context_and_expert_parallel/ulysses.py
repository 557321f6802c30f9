"""Attention with all positions of some heads in place of some of all."""

from math import lcm

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.model.attention.documents import Documents
from scratchlm.scaling.collectives.conjugate import all_to_all
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    Layout,
    contiguous,
    positions_of,
)


class Ulysses(nn.Module):
    """Attention of a row whose positions lie on several ranks.

    ::

        some positions, N heads ─ all-to-all ─ all positions, N / W heads
                                                        │
        some positions, N heads ─ all-to-all ───────── core

    Args:
        group: W ranks.
        core: computes attention as it would in one process. It may hold
            nothing of its own for each head.
        layout: which positions of a row each rank holds.

    Attributes:
        sent: bytes that this rank has sent to others, forward.

    Source: Jacobs et al. 2023, "DeepSpeed Ulysses", section 3.
    """

    def __init__(
        self,
        group: dist.ProcessGroup,
        core: nn.Module,
        *,
        layout: Layout = contiguous,
    ):
        super().__init__()
        self.group, self.core, self.layout = group, core, layout
        self.sent = 0

    def forward(
        self,
        q: Float[Tensor, "B N T H"],
        k: Float[Tensor, "B K T H"],
        v: Float[Tensor, "B K T Hv"],
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up in the row.

        Args:
            q: queries of this rank's positions.
            k: keys of the same positions.
            v: their values.
            documents: of the whole row; None if each row is one.

        Raises:
            ValueError: W does not divide the number of query heads, or the
                layout does not divide the positions.
        """
        size = self.group.size()
        if q.shape[1] % size:
            raise ValueError(
                f"{q.shape[1]} query heads do not go to {size} ranks evenly; "
                f"use a number of ranks that divides it, or a ring, which "
                f"cuts no heads"
            )
        chunks = self.layout(q.shape[2] * size, size)
        order = torch.cat([positions_of(each) for each in chunks])
        back = order.argsort().to(q.device)
        # A key head that several ranks need goes to each of them.
        copies = lcm(k.shape[1], size) // k.shape[1]
        k, v = (each.repeat_interleave(copies, 1) for each in (k, v))
        q, k, v = (self._to_heads(x).index_select(2, back) for x in (q, k, v))
        mixed = self.core(q, k, v, documents)
        return self._to_positions(mixed.index_select(2, order.to(q.device)))

    def _to_heads(self, x: Tensor) -> Tensor:
        """Turn (B, heads, T / W, H) into (B, heads / W, T, H)."""
        parts = torch.stack(x.chunk(self.group.size(), 1))
        # (W, B, heads / W, T / W, H), where the first axis was the heads'
        # and becomes the positions'.
        return self._swapped(parts).movedim(0, 2).flatten(2, 3)

    def _to_positions(self, x: Tensor) -> Tensor:
        """Turn (B, heads / W, T, H) into (B, heads, T / W, H)."""
        parts = torch.stack(x.chunk(self.group.size(), 2))
        return self._swapped(parts).movedim(0, 1).flatten(1, 2)

    def _swapped(self, parts: Tensor) -> Tensor:
        others = parts.numel() - parts[0].numel()
        self.sent += others * parts.element_size()
        return all_to_all(parts, self.group)
