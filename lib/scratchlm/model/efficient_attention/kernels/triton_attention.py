"""Attention in tiles, as Triton kernels.

The mathematics is that of ``tiled_attention``. What a loop does there one
tile after another, programs do here side by side.
"""

from math import e, log2
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import CAUSAL, Mask, Reach
from scratchlm.model.efficient_attention.kernels.triton_launch import (
    is_compiled,
    padded,
    require_runnable,
    triton,
)
from scratchlm.model.efficient_attention.kernels.triton_programs import (
    differentiate_keys,
    differentiate_queries,
    mix,
)
from scratchlm.model.efficient_attention.tiled_attention import reach_of

# Queries, keys and warps of a tile, for ``mix``, ``differentiate_queries``
# and ``differentiate_keys``, by the bytes of a number and the width of a
# head. Chosen by what the compiler says of a Hopper GPU: at two bytes all
# numbers fit its registers. No speed was measured.
Tile = tuple[int, int, int]
TILES: dict[tuple[int, int], tuple[Tile, Tile, Tile]] = {
    (2, 64): ((128, 64, 8), (64, 64, 4), (64, 64, 4)),
    (2, 128): ((128, 64, 8), (64, 64, 4), (64, 64, 8)),
    (2, 256): ((64, 32, 4), (32, 32, 8), (32, 32, 8)),
    (4, 64): ((64, 32, 4), (32, 32, 4), (32, 32, 4)),
    (4, 128): ((64, 32, 4), (32, 32, 4), (32, 32, 4)),
}


class TritonAttention(nn.Module):
    """``Tiled`` as kernels for GPUs.

    Args:
        n_heads: number of query heads N; not used by this core.
        mask: which keys a query may see: one that has a ``reach``.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.

    Raises:
        ValueError: the mask is no band.

    Source: Dao 2023, "FlashAttention-2", algorithms 1 and 2.
    """

    def __init__(
        self,
        n_heads: int,
        *,
        mask: Mask = CAUSAL,
        scale: float | None = None,
    ):
        super().__init__()
        self.reach = reach_of(mask)
        self.mask, self.scale = mask, scale

    def forward(
        self,
        q: Float[Tensor, "B N T H"],
        k: Float[Tensor, "B K S H"],
        v: Float[Tensor, "B K S Hv"],
        documents: Documents | None = None,
    ) -> Float[Tensor, "B N T Hv"]:
        """Return for each query the values that it looks up.

        Raises:
            ValueError: see :func:`triton_attention`.
        """
        return triton_attention(
            q,
            k,
            v,
            reach=self.reach,
            scale=self.scale,
            documents=documents,
        )


def triton_attention(
    q: Float[Tensor, "B N T H"],
    k: Float[Tensor, "B K S H"],
    v: Float[Tensor, "B K S Hv"],
    *,
    reach: Reach,
    scale: float | None = None,
    documents: Documents | None = None,
) -> Float[Tensor, "B N T Hv"]:
    """Apply :class:`TritonAttention` as a function.

    Args:
        q: queries; they stand at the last T of the S positions.
        k: keys of K heads, each of which serves N / K query heads.
        v: values.
        reach: how far a query sees.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.
        documents: of the S positions; None if each row is one.

    Raises:
        ValueError: there are more queries than keys, a head is wider than
            512 bytes, a tensor has 64 bits, the types differ, or a tensor
            is not on a GPU and Triton's interpreter does not run; the
            interpreter runs and a tensor is bfloat16; the documents are of
            another number of keys.
    """
    require_runnable(mix, q, k, v)
    _require_types(q, k, v)
    if q.shape[2] > k.shape[2]:
        raise ValueError(
            f"{q.shape[2]} queries but {k.shape[2]} keys: each query stands "
            "at a key; append the keys of this call to the cache first"
        )
    if documents is not None:
        documents.check_keys(k.shape[2])
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    apply: Any = _TritonAttention.apply
    return apply(q, k, v, reach, scale, documents)


def _require_types(q: Tensor, k: Tensor, v: Tensor) -> None:
    if not q.dtype == k.dtype == v.dtype:
        raise ValueError(
            f"queries are {q.dtype}, keys {k.dtype} and values {v.dtype}; "
            "convert them to one type"
        )
    if q.dtype == torch.bfloat16 and not is_compiled(mix):
        raise ValueError(
            "Triton's interpreter multiplies the bits of bfloat16 as if they "
            "were integers; use float16 or float32 there"
        )
    if _kind(q, v) not in TILES:
        raise ValueError(
            f"heads of {q.shape[-1]} and {v.shape[-1]} numbers in {q.dtype}: "
            "tiles of more than 512 bytes a row do not fit the memory beside "
            "a GPU's processors; use Tiled"
        )


def _kind(q: Tensor, v: Tensor) -> tuple[int, int]:
    width = max(q.shape[-1], v.shape[-1])
    return q.element_size(), padded(width, least=64)


class _TritonAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        reach: Reach,
        scale: float,
        documents: Documents | None,
    ) -> Tensor:
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        lse = q.new_empty(q.shape[:-1], dtype=torch.float32)
        spans = _spans(q, documents)
        shapes = _shapes(spans, q, k, v, TILES[_kind(q, v)][0])
        if out.numel():
            mix[_grid(q, shapes["TILE_T"])](
                *(q, k, v, out, lse, spans),
                *_numbers(q, k, reach, scale),
                **shapes,
            )
        ctx.save_for_backward(q, k, v, out, lse, spans)
        ctx.reach, ctx.scale = reach, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse, spans = ctx.saved_tensors
        grad = grad.contiguous()
        along = (grad.float() * out.float()).sum(-1)
        q_grad, k_grad, v_grad = map(torch.empty_like, (q, k, v))
        numbers = *_numbers(q, k, ctx.reach, ctx.scale), ctx.scale
        given = q, k, v, grad, lse, along, spans
        _, of_queries, of_keys = TILES[_kind(q, v)]
        if out.numel():
            differentiate_queries[_grid(q, of_queries[0])](
                *given, q_grad, *numbers, **_shapes(spans, q, k, v, of_queries)
            )
            differentiate_keys[_grid(k, of_keys[1])](
                *(*given, k_grad, v_grad, *numbers),
                **_shapes(spans, q, k, v, of_keys),
            )
        return q_grad, k_grad, v_grad, None, None, None


def _grid(x: Tensor, tile: int) -> tuple[int]:
    """Return how many programs there are: one for each tile of each head."""
    return (triton.cdiv(x.shape[2], tile) * x.shape[:2].numel(),)


def _spans(q: Tensor, documents: Documents | None) -> Tensor:
    """Return where each position's document starts and ends, as (B, 2, S).

    A kernel that was compiled without documents does not read them.
    """
    if documents is None:
        return q
    spans = torch.stack((documents.starts, documents.ends), 1)
    return spans.to(torch.int32)


def _numbers(
    q: Tensor, k: Tensor, reach: Reach, scale: float
) -> tuple[float, int, int, int, int, int]:
    """Return what all kernels are told: factor, T, S, behind, ahead, K."""
    n_keys = k.shape[2]
    # exp2 is one instruction of a GPU, and exp is two.
    factor = scale * log2(e)
    behind, ahead = (min(each, n_keys) for each in reach)
    return factor, q.shape[2], n_keys, behind, ahead, k.shape[1]


def _shapes(
    spans: Tensor, q: Tensor, k: Tensor, v: Tensor, tile: Tile
) -> dict[str, int]:
    """Return what is known when a kernel is compiled."""
    return {
        "PACKED": spans.dtype == torch.int32,
        "GROUP": q.shape[1] // k.shape[1],
        "H": q.shape[-1],
        "HV": v.shape[-1],
        "PAD_H": padded(q.shape[-1], least=16),
        "PAD_HV": padded(v.shape[-1], least=16),
        "TILE_T": tile[0],
        "TILE_S": tile[1],
        "num_warps": tile[2],
    }
