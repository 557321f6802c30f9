"""Attention to keys that travel around a ring of ranks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist
from torch.autograd.function import once_differentiable

from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import CAUSAL, Mask
from scratchlm.model.efficient_attention.tiled_attention import reach_of
from scratchlm.scaling.collectives.collectives import Wire
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    Chunks,
    Layout,
    Sight,
    zigzag,
)
from scratchlm.scaling.context_and_expert_parallel.partial_attention import (
    Partial,
    attend,
    differentiate,
    merge,
)

# Tags that tell two kinds of message apart.
KEYS, GRADIENTS = 0, 1


class RingAttention(nn.Module):
    """Attention of a row whose positions lie on several ranks.

    Each rank keeps its queries. Its keys and values go to the next rank,
    and on, until each rank has met them all. It takes the place of
    ``DotProduct`` and gives the same numbers for this rank's positions.

    Args:
        group: W ranks.
        mask: which keys a query may see: one that has a ``reach``.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.
        layout: which positions of a row each rank holds.

    Attributes:
        wire: counts what this rank has sent.
        n_scores: how many scores of a head this rank has computed forward.

    Raises:
        ValueError: the mask is no band.

    Source: Liu, Zaharia and Abbeel 2023, "Ring Attention with Blockwise
    Transformers for Near-Infinite Context", section 3.
    """

    def __init__(
        self,
        group: dist.ProcessGroup,
        *,
        mask: Mask = CAUSAL,
        scale: float | None = None,
        layout: Layout = zigzag,
    ):
        super().__init__()
        self.mask, self.scale, self.layout = mask, scale, layout
        self.reach = reach_of(mask)
        self.wire, self.n_scores = Wire(group), 0

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
            ValueError: the documents are of another number of positions, or
                the layout does not divide them.
        """
        n_tokens = q.shape[2] * self.wire.size
        if documents is not None:
            documents.check_keys(n_tokens)
        ring = Ring(
            wire=self.wire,
            chunks=self.layout(n_tokens, self.wire.size),
            sight=Sight(
                reach=self.reach,
                starts=None if documents is None else documents.starts,
            ),
            scale=q.shape[-1] ** -0.5 if self.scale is None else self.scale,
        )
        self.n_scores += sum(block.n_scores for block in ring.all_blocks())
        # The query heads of one key head lie beside each other.
        grouped = q.reshape(len(q), k.shape[1], -1, *q.shape[2:])
        apply: Any = _Ring.apply
        mixed = apply(grouped, k.unsqueeze(2), v.unsqueeze(2), ring)
        return mixed.flatten(1, 2)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A chunk of queries that meets a chunk of keys.

    Args:
        queries: positions in the row.
        keys: positions in the row.
        rows: where the queries lie among those of their rank.
        columns: where the keys lie among those of theirs.
    """

    queries: range
    keys: range
    rows: slice
    columns: slice

    @property
    def n_scores(self) -> int:
        """How many scores there are."""
        return len(self.queries) * len(self.keys)


@dataclass(frozen=True, kw_only=True)
class Ring:
    """What a pass around the ring needs to know.

    Args:
        wire: of this rank.
        chunks: of all ranks.
        sight: which keys a query sees.
        scale: factor of the scores.
    """

    wire: Wire
    chunks: list[Chunks]
    sight: Sight
    scale: float

    def blocks(self, step: int) -> Iterator[Block]:
        """Yield the blocks of a step in which something is to be seen."""
        here = self.wire.rank
        there = (here - step) % self.wire.size
        for rows, queries in _placed(self.chunks[here]):
            for columns, keys in _placed(self.chunks[there]):
                if self.sight.sees(queries, keys):
                    yield Block(
                        queries=queries, keys=keys, rows=rows, columns=columns
                    )

    def all_blocks(self) -> Iterator[Block]:
        """Yield the blocks of all steps."""
        for step in range(self.wire.size):
            yield from self.blocks(step)

    def hidden(self, block: Block, device: torch.device) -> Tensor | None:
        """Return what is out of sight, with axes for both kinds of heads."""
        hidden = self.sight.hidden(block.queries, block.keys, device)
        if hidden is None or hidden.ndim == 2:
            return hidden
        return hidden[:, None, None]

    def start(self, x: Tensor, tag: int) -> tuple[Tensor, list[dist.Work]]:
        """Begin to pass a tensor on, and to receive the one before."""
        rank, size = self.wire.rank, self.wire.size
        into = torch.empty_like(x)
        coming = self.wire.start_receive(into, (rank - 1) % size, tag)
        return into, [coming, self.wire.start_send(x, (rank + 1) % size, tag)]


class _Ring(torch.autograd.Function):
    """q is (B, K, G, T, H) with G = N / K; k and v are (B, K, 1, T, ·)."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, ring: Ring
    ) -> Tensor:
        with torch.autocast(q.device.type, enabled=False):
            mixed, lse = _mix(q, k, v, ring)
        mixed = mixed.to(v.dtype)
        ctx.save_for_backward(q, k, v, mixed, lse)
        ctx.ring = ring
        return mixed

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        with torch.autocast(grad.device.type, enabled=False):
            grads = _differentiate(grad, ctx.saved_tensors, ctx.ring)
        return *grads, None


def _mix(q: Tensor, k: Tensor, v: Tensor, ring: Ring) -> Partial:
    """Return what this rank's queries mix of all keys."""
    q = _wide(q) * ring.scale
    total = Partial(
        q.new_zeros(*q.shape[:-1], v.shape[-1]),
        q.new_full(q.shape[:-1], -torch.inf),
    )
    for step, (keys, values) in _travelling(k, v, ring):
        for block in ring.blocks(step):
            rows, columns = block.rows, block.columns
            found = attend(
                q[..., rows, :],
                keys[..., columns, :],
                values[..., columns, :],
                ring.hidden(block, q.device),
            )
            before = Partial(total.mixed[..., rows, :], total.lse[..., rows])
            after = merge(before, found)
            total.mixed[..., rows, :], total.lse[..., rows] = after
    return total


def _differentiate(
    grad: Tensor, saved: tuple[Tensor, ...], ring: Ring
) -> tuple[Tensor, Tensor, Tensor]:
    """Send keys around again, and behind them what they are owed."""
    q, k, v, mixed, lse = saved
    scaled, grad = _wide(q) * ring.scale, _wide(grad)
    along = (grad * mixed).sum(-1)
    q_grad = torch.zeros_like(scaled)
    shape = *k.shape[:-1], k.shape[-1] + v.shape[-1]
    own = owed = scaled.new_zeros(shape)
    for step, (keys, values) in _travelling(k, v, ring):
        if step == 1:  # what this rank owes itself stays at home
            owed = torch.zeros_like(own)
        for block in ring.blocks(step):
            rows, columns = block.rows, block.columns
            q_part, k_part, v_part = differentiate(
                scaled[..., rows, :],
                keys[..., columns, :],
                values[..., columns, :],
                lse[..., rows],
                grad[..., rows, :],
                along[..., rows],
                hidden=ring.hidden(block, q.device),
            )
            q_grad[..., rows, :] += q_part
            # One key head serves all query heads of its group.
            parts = torch.cat((k_part, v_part), -1)
            owed[..., columns, :] += parts.sum(2, keepdim=True)
        if step > 0:
            leaving = owed
            owed, works = ring.start(leaving, GRADIENTS)
            for work in works:
                work.wait()
    if ring.wire.size > 1:
        own = own + owed
    k_grad, v_grad = torch.split(own, [k.shape[-1], v.shape[-1]], -1)
    return (
        (q_grad * ring.scale).to(q.dtype),
        k_grad.to(k.dtype),
        v_grad.to(v.dtype),
    )


def _travelling(
    k: Tensor, v: Tensor, ring: Ring
) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    """Yield each step with the keys and values that are here then.

    They go on to the next rank while this one computes with them.
    """
    here, widths = torch.cat((k, v), -1), [k.shape[-1], v.shape[-1]]
    for step in range(ring.wire.size):
        following: Tensor = here
        works: list[dist.Work] = []
        if step < ring.wire.size - 1:
            following, works = ring.start(here, KEYS)
        keys, values = torch.split(_wide(here), widths, -1)
        yield step, (keys, values)
        for work in works:
            work.wait()
        here = following


def _placed(chunks: Chunks) -> Iterator[tuple[slice, range]]:
    """Yield where each chunk lies among its rank's, and its positions."""
    start = 0
    for chunk in chunks:
        yield slice(start, start + len(chunk)), chunk
        start += len(chunk)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
