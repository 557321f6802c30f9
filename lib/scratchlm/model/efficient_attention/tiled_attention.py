"""Attention in tiles, without the T by S scores."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import CAUSAL, Mask, Reach

Span = tuple[int, int]


def reach_of(mask: Mask) -> Reach:
    """Return how far a query sees.

    Raises:
        ValueError: the mask is no band, so no two numbers describe it.
    """
    reach = getattr(mask, "reach", None)
    if reach is None:
        raise ValueError(
            f"{mask} has no reach, which says how far a query sees, so no "
            "tile could be skipped; use DotProduct with this mask"
        )
    return Reach(*reach)


class Tiled(nn.Module):
    """Attention whose memory grows with T, not with T times S.

    Gives the numbers of ``DotProduct``, from tiles of scores that are made,
    used and dropped, in the forward pass and again in the backward.

    Args:
        n_heads: number of query heads N; not used by this core.
        mask: which keys a query may see: one that has a ``reach``.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.
        tile: number of queries, and of keys, that meet in one tile.

    Raises:
        ValueError: ``tile`` is below 1, or the mask is no band.

    Source: Dao 2023, "FlashAttention-2", algorithms 1 and 2.
    """

    def __init__(
        self,
        n_heads: int,
        *,
        mask: Mask = CAUSAL,
        scale: float | None = None,
        tile: int = 256,
    ):
        super().__init__()
        if tile < 1:
            raise ValueError(f"a tile of {tile} queries; use at least 1")
        self.reach = reach_of(mask)
        self.mask, self.scale, self.tile = mask, scale, tile

    def forward(
        self,
        q: Float[Tensor, "B N T H"],
        k: Float[Tensor, "B K S H"],
        v: Float[Tensor, "B K S Hv"],
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up.

        Raises:
            ValueError: there are more queries than keys, or the documents
                are of another number of keys.
        """
        return tiled_attention(
            q,
            k,
            v,
            reach=self.reach,
            scale=self.scale,
            tile=self.tile,
            documents=documents,
        )


def tiled_attention(  # noqa: PLR0913
    q: Float[Tensor, "B N T H"],
    k: Float[Tensor, "B K S H"],
    v: Float[Tensor, "B K S Hv"],
    *,
    reach: Reach,
    scale: float | None = None,
    tile: int = 256,
    documents: Documents | None = None,
) -> Float[Tensor, "B N T Hv"]:
    """Apply :class:`Tiled` as a function.

    Args:
        q: queries; they stand at the last T of the S positions.
        k: keys of K heads, each of which serves N / K query heads.
        v: values.
        reach: how far a query sees.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.
        tile: number of queries, and of keys, that meet in one tile.
        documents: of the S positions; None if each row is one.

    Raises:
        ValueError: there are more queries than keys, or the documents are
            of another number of keys.
    """
    if q.shape[2] > k.shape[2]:
        raise ValueError(
            f"{q.shape[2]} queries but {k.shape[2]} keys: each query stands "
            "at a key; append the keys of this call to the cache first"
        )
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    # The query heads of one key head lie beside each other: (B, K, G, T, H).
    grouped = q.reshape(len(q), k.shape[1], -1, *q.shape[2:])
    tiles = _Tiles(q.shape[2], k.shape[2], reach, tile)
    if documents is not None:
        documents.check_keys(k.shape[2])
        tiles = _PackedTiles(tiles, documents)
    apply: Any = _Tiled.apply
    return apply(grouped, k, v, scale, tiles).flatten(1, 2)


class _Tiles:
    """Which tiles hold something to see, and what is hidden in them."""

    def __init__(self, n_tokens: int, n_keys: int, reach: Reach, size: int):
        self.n_tokens, self.n_keys = n_tokens, n_keys
        self.reach, self.size = reach, size

    def queries(self) -> Iterator[Span]:
        for start in range(0, self.n_tokens, self.size):
            yield start, min(start + self.size, self.n_tokens)

    def keys(self, queries: Span) -> Iterator[Span]:
        """Yield the tiles of keys that some of these queries see."""
        first, last = (t + self.n_keys - self.n_tokens for t in queries)
        low = max(0, first - self.reach.behind)
        high = min(self.n_keys, last + self.reach.ahead)
        for start in range(low // self.size * self.size, high, self.size):
            yield start, min(start + self.size, self.n_keys)

    def hidden(
        self, queries: Span, keys: Span, device: torch.device
    ) -> Tensor | None:
        """Return True where a key is out of sight; None if none is."""
        shift = self.n_keys - self.n_tokens
        nearest = queries[0] + shift - (keys[1] - 1)
        farthest = queries[1] - 1 + shift - keys[0]
        if -nearest <= self.reach.ahead and farthest <= self.reach.behind:
            return None
        at = torch.arange(*queries, device=device) + shift
        back = at[:, None] - torch.arange(*keys, device=device)
        return (back > self.reach.behind) | (-back > self.reach.ahead)


class _PackedTiles(_Tiles):
    """``_Tiles`` of rows that hold several documents.

    Documents lie one after another, so the tiles that a tile of queries can
    see begin where the document of its first query begins.
    """

    def __init__(self, tiles: _Tiles, documents: Documents):
        super().__init__(tiles.n_tokens, tiles.n_keys, tiles.reach, tiles.size)
        self.starts, self.edges = documents.starts, documents.edges

    def keys(self, queries: Span) -> Iterator[Span]:
        first, last = (t + self.n_keys - self.n_tokens for t in queries)
        low, high = self.edges.earliest[first], self.edges.ends[last - 1]
        for start, stop in super().keys(queries):
            if start < high and low < stop:
                yield start, stop

    def hidden(
        self, queries: Span, keys: Span, device: torch.device
    ) -> Tensor | None:
        hidden = super().hidden(queries, keys, device)
        first, last = (t + self.n_keys - self.n_tokens for t in queries)
        if self.edges.latest[max(last, keys[1]) - 1] <= min(first, keys[0]):
            return hidden
        starts = self.starts[:, first:last, None]
        others = starts != self.starts[:, None, slice(*keys)]
        others = others if hidden is None else others | hidden
        return others[:, None, None]


class _Tiled(torch.autograd.Function):
    """q is (B, K, G, T, H) with G = N / K; k and v are (B, K, S, ·)."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float, tiles: _Tiles
    ) -> Tensor:
        with torch.autocast(q.device.type, enabled=False):
            out, lse = _mix(q, k, v, scale, tiles)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.scale, ctx.tiles = scale, tiles
        return out

    # What the forward pass kept is taken as constant.
    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        with torch.autocast(grad.device.type, enabled=False):
            grads = _differentiate(
                grad, ctx.saved_tensors, ctx.scale, ctx.tiles
            )
        return *grads, None, None


def _mix(
    q: Tensor, k: Tensor, v: Tensor, scale: float, tiles: _Tiles
) -> tuple[Tensor, Tensor]:
    """Return the mixed values, and the log-sum-exp of each row of scores."""
    batch, n_kv_heads, shared, n_tokens, _ = q.shape
    # In memory a token's heads lie together, as the next layer reads them.
    shape = batch, n_tokens, n_kv_heads, shared, v.shape[-1]
    out = q.new_empty(shape).permute(0, 2, 3, 1, 4)
    lse = q.new_empty(q.shape[:-1], dtype=_wide(q))
    for rows in tiles.queries():
        q_rows = _rows(q, rows) * scale
        # Finite: a row that has seen nothing yet would meet -inf - -inf.
        lowest = torch.finfo(lse.dtype).min
        top = lse.new_full(q_rows.shape[:-1], lowest)
        total = torch.zeros_like(top)
        mixed = lse.new_zeros(*q_rows.shape[:-1], v.shape[-1])
        for keys in tiles.keys(rows):
            scores = _scores(q_rows, k, rows, keys, tiles)
            higher = torch.maximum(top, scores.amax(-1))
            weights = scores.sub_(higher[..., None]).exp_()
            shrink = (top - higher).exp_()
            total.mul_(shrink).add_(weights.sum(-1))
            mixed.mul_(shrink[..., None]).add_(weights @ _cut(v, keys))
            top = higher
        span = slice(*rows)
        out[..., span, :] = _unfold(mixed / total[..., None], q)
        lse[..., span] = _unfold(top + total.log(), q)
    return out, lse


def _differentiate(
    grad: Tensor, saved: tuple[Tensor, ...], scale: float, tiles: _Tiles
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v, from tiles made anew."""
    q, k, v, out, lse = saved
    q_grad = torch.empty_like(q)
    k_grad, v_grad = (torch.zeros_like(x, dtype=_wide(x)) for x in (k, v))
    for rows in tiles.queries():
        q_rows, grad_rows = _rows(q, rows) * scale, _rows(grad, rows)
        along = (grad_rows * _rows(out, rows)).sum(-1, keepdim=True)
        lse_rows = _rows(lse[..., None], rows)
        q_sum = torch.zeros_like(q_rows)
        for keys in tiles.keys(rows):
            span = slice(*keys)
            scores = _scores(q_rows, k, rows, keys, tiles)
            weights = scores.sub_(lse_rows).exp_()
            v_grad[..., span, :] += weights.mT @ grad_rows
            inner = (grad_rows @ _cut(v, keys).mT).sub_(along).mul_(weights)
            k_grad[..., span, :] += inner.mT @ q_rows
            q_sum += inner @ _cut(k, keys)
        q_grad[..., slice(*rows), :] = _unfold(q_sum * scale, q)
    return q_grad, k_grad.to(k.dtype), v_grad.to(v.dtype)


def _scores(
    q_rows: Tensor, k: Tensor, rows: Span, keys: Span, tiles: _Tiles
) -> Tensor:
    """Return the scores of one tile, -inf where a key is out of sight."""
    scores = q_rows @ _cut(k, keys).mT
    hidden = tiles.hidden(rows, keys, k.device)
    if hidden is not None:
        shape = *scores.shape[:2], -1, *hidden.shape[-2:]
        scores.view(shape).masked_fill_(hidden, -torch.inf)
    return scores


def _cut(x: Tensor, span: Span) -> Tensor:
    """Return rows of keys or values, (B, K, tile, ·), in float32 or more."""
    return x[..., slice(*span), :].to(_wide(x))


def _rows(x: Tensor, span: Span) -> Tensor:
    """Return rows of all heads of a group as one: (B, K, G * tile, ·)."""
    return _cut(x, span).flatten(2, 3)


def _unfold(rows: Tensor, q: Tensor) -> Tensor:
    """Undo :func:`_rows`, in the type of a result."""
    return rows.reshape(*q.shape[:3], -1, *rows.shape[3:])


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)
