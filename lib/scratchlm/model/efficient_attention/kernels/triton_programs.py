"""The programs that a GPU runs for attention in tiles.

A kernel is launched as many programs, each of which knows its number and
does the work of one tile of queries, or of keys, for one head. Tensors are
contiguous. Heads are counted in 64 bits, as heads times tokens times width
may exceed 32. Scores are in base 2: ``factor`` is the scale times log2(e),
and ``lse`` a log2. Capitals are known when a kernel is compiled.
"""

from typing import no_type_check

from scratchlm.model.efficient_attention.kernels.triton_launch import triton

tl = triton.language

# A GPU's matrix units read float32 with ten bits after the point; three
# products of such parts give nearly all. Other types are not concerned.
EXACT = tl.constexpr("tf32x3")

# A checker that wraps a function would hide its source from Triton, hence
# `no_type_check`.


@triton.jit
@no_type_check
def own_tile(n_rows, TILE: tl.constexpr):
    """Return which head this program works on, and from which row on.

    The tiles of a head have numbers in a row, so that programs which run at
    one time read the same keys. A grid of two axes would count either tiles
    or heads on its second, and there CUDA ends at 65,535.
    """
    n_tiles = tl.cdiv(n_rows, TILE)
    number = tl.program_id(0)
    return (number // n_tiles).to(tl.int64), number % n_tiles * TILE


@triton.jit
@no_type_check
def load_rows(pointer, rows, n_rows, WIDTH: tl.constexpr, PAD: tl.constexpr):
    """Return some rows of a matrix, with zeros beyond its edges."""
    at = tl.arange(0, PAD)
    inside = (rows[:, None] < n_rows) & (at < WIDTH)
    return tl.load(
        pointer + rows[:, None] * WIDTH + at, mask=inside, other=0.0
    )


@triton.jit
@no_type_check
def store_rows(
    pointer, x, rows, n_rows, WIDTH: tl.constexpr, PAD: tl.constexpr
):
    """Write some rows of a matrix, and nothing beyond its edges."""
    at = tl.arange(0, PAD)
    inside = (rows[:, None] < n_rows) & (at < WIDTH)
    place = pointer + rows[:, None] * WIDTH + at
    tl.store(place, x.to(pointer.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def reach(
    spans_ptr, first, TILE: tl.constexpr, n_keys, before, after,
    PACKED: tl.constexpr,
):  # fmt: skip
    """Return from where to where positions lie that meet those of a tile.

    Documents lie one after another: those of the tile begin where the first
    position's does, and end where the last one's does.
    """
    low = tl.maximum(first - before, 0)
    high = tl.minimum(first + TILE + after, n_keys)
    if PACKED:
        last = tl.minimum(first + TILE, n_keys) - 1
        low = tl.maximum(low, tl.load(spans_ptr + first))
        high = tl.minimum(high, tl.load(spans_ptr + n_keys + last))
    return low, high


@triton.jit
@no_type_check
def visible_scores(
    q, k, spans_ptr, at, keys, factor, n_keys, behind, ahead,
    PACKED: tl.constexpr,
):  # fmt: skip
    """Return the scores of a tile, -inf where a key is out of sight."""
    scores = tl.dot(q, tl.trans(k), input_precision=EXACT) * factor
    back = at[:, None] - keys[None, :]
    visible = (back <= behind) & (-back <= ahead) & (keys < n_keys)[None, :]
    if PACKED:
        own = tl.load(spans_ptr + at, mask=at < n_keys, other=-1)
        other = tl.load(spans_ptr + keys, mask=keys < n_keys, other=-1)
        visible &= own[:, None] == other[None, :]
    return tl.where(visible, scores, float("-inf"))


@triton.jit
@no_type_check
def mix(
    q_ptr, k_ptr, v_ptr, out_ptr, lse_ptr, spans_ptr,
    factor, n_tokens, n_keys, behind, ahead, n_kv_heads,
    PACKED: tl.constexpr, GROUP: tl.constexpr, H: tl.constexpr,
    HV: tl.constexpr, PAD_H: tl.constexpr, PAD_HV: tl.constexpr,
    TILE_T: tl.constexpr, TILE_S: tl.constexpr,
):  # fmt: skip
    """Mix the values for one tile of queries of one head.

    Source: Dao 2023, "FlashAttention-2", algorithm 1.
    """
    head, first = own_tile(n_tokens, TILE_T)
    k_ptr += head // GROUP * n_keys * H
    v_ptr += head // GROUP * n_keys * HV
    spans_ptr += head // GROUP // n_kv_heads * 2 * n_keys
    rows = first + tl.arange(0, TILE_T)
    q = load_rows(q_ptr + head * n_tokens * H, rows, n_tokens, H, PAD_H)
    # Finite: a row that has seen nothing yet would meet -inf - -inf.
    top = tl.full((TILE_T,), -1e38, tl.float32)
    total = tl.zeros((TILE_T,), tl.float32)
    mixed = tl.zeros((TILE_T, PAD_HV), tl.float32)
    first += n_keys - n_tokens
    at = first + tl.arange(0, TILE_T)
    low, high = reach(spans_ptr, first, TILE_T, n_keys, behind, ahead, PACKED)
    for start in range(low // TILE_S * TILE_S, high, TILE_S):
        keys = start + tl.arange(0, TILE_S)
        k = load_rows(k_ptr, keys, n_keys, H, PAD_H)
        scores = visible_scores(
            q, k, spans_ptr, at, keys, factor, n_keys, behind, ahead, PACKED
        )
        higher = tl.maximum(top, tl.max(scores, 1))
        weights = tl.exp2(scores - higher[:, None])
        shrink = tl.exp2(top - higher)
        total = total * shrink + tl.sum(weights, 1)
        v = load_rows(v_ptr, keys, n_keys, HV, PAD_HV)
        mixed = mixed * shrink[:, None]
        mixed += tl.dot(weights.to(v.dtype), v, input_precision=EXACT)
        top = higher
    # Rows beyond the edge may have seen nothing; they are not stored.
    total = tl.where(total > 0.0, total, 1.0)
    out_ptr += head * n_tokens * HV
    store_rows(out_ptr, mixed / total[:, None], rows, n_tokens, HV, PAD_HV)
    place = lse_ptr + head * n_tokens + rows
    tl.store(place, top + tl.log2(total), mask=rows < n_tokens)


@triton.jit
@no_type_check
def differentiate_tile(
    q, k, v, grad, lse_ptr, along_ptr, spans_ptr, rows, keys,
    factor, n_tokens, n_keys, behind, ahead, PACKED: tl.constexpr,
):  # fmt: skip
    """Return the weights of a tile, and the gradients of its scores."""
    inside = rows < n_tokens
    lse = tl.load(lse_ptr + rows, mask=inside, other=float("inf"))
    along = tl.load(along_ptr + rows, mask=inside, other=0.0)
    at = rows + n_keys - n_tokens
    scores = visible_scores(
        q, k, spans_ptr, at, keys, factor, n_keys, behind, ahead, PACKED
    )
    weights = tl.exp2(scores - lse[:, None])
    inner = tl.dot(grad, tl.trans(v), input_precision=EXACT)
    return weights, weights * (inner - along[:, None])


@triton.jit
@no_type_check
def differentiate_queries(
    q_ptr, k_ptr, v_ptr, grad_ptr, lse_ptr, along_ptr, spans_ptr,
    q_grad_ptr,
    factor, n_tokens, n_keys, behind, ahead, n_kv_heads, scale,
    PACKED: tl.constexpr, GROUP: tl.constexpr, H: tl.constexpr,
    HV: tl.constexpr, PAD_H: tl.constexpr, PAD_HV: tl.constexpr,
    TILE_T: tl.constexpr, TILE_S: tl.constexpr,
):  # fmt: skip
    """Sum the gradient of one tile of queries over the keys that it saw."""
    head, first = own_tile(n_tokens, TILE_T)
    k_ptr += head // GROUP * n_keys * H
    v_ptr += head // GROUP * n_keys * HV
    spans_ptr += head // GROUP // n_kv_heads * 2 * n_keys
    lse_ptr += head * n_tokens
    along_ptr += head * n_tokens
    rows = first + tl.arange(0, TILE_T)
    q = load_rows(q_ptr + head * n_tokens * H, rows, n_tokens, H, PAD_H)
    grad_ptr += head * n_tokens * HV
    grad = load_rows(grad_ptr, rows, n_tokens, HV, PAD_HV)
    q_grad = tl.zeros((TILE_T, PAD_H), tl.float32)
    first += n_keys - n_tokens
    low, high = reach(spans_ptr, first, TILE_T, n_keys, behind, ahead, PACKED)
    for start in range(low // TILE_S * TILE_S, high, TILE_S):
        keys = start + tl.arange(0, TILE_S)
        k = load_rows(k_ptr, keys, n_keys, H, PAD_H)
        v = load_rows(v_ptr, keys, n_keys, HV, PAD_HV)
        _, inner = differentiate_tile(
            *(q, k, v, grad, lse_ptr, along_ptr, spans_ptr, rows, keys),
            *(factor, n_tokens, n_keys, behind, ahead, PACKED),
        )
        q_grad += tl.dot(inner.to(k.dtype), k, input_precision=EXACT)
    q_grad_ptr += head * n_tokens * H
    store_rows(q_grad_ptr, q_grad * scale, rows, n_tokens, H, PAD_H)


@triton.jit
@no_type_check
def differentiate_keys(
    q_ptr, k_ptr, v_ptr, grad_ptr, lse_ptr, along_ptr, spans_ptr,
    k_grad_ptr, v_grad_ptr,
    factor, n_tokens, n_keys, behind, ahead, n_kv_heads, scale,
    PACKED: tl.constexpr, GROUP: tl.constexpr, H: tl.constexpr,
    HV: tl.constexpr, PAD_H: tl.constexpr, PAD_HV: tl.constexpr,
    TILE_T: tl.constexpr, TILE_S: tl.constexpr,
):  # fmt: skip
    """Sum the gradients of one tile of keys and values over all readers.

    One program sums over all query heads of its key head, so that no two
    programs write to one place.
    """
    shared, first = own_tile(n_keys, TILE_S)
    keys = first + tl.arange(0, TILE_S)
    k = load_rows(k_ptr + shared * n_keys * H, keys, n_keys, H, PAD_H)
    v = load_rows(v_ptr + shared * n_keys * HV, keys, n_keys, HV, PAD_HV)
    k_grad = tl.zeros((TILE_S, PAD_H), tl.float32)
    v_grad = tl.zeros((TILE_S, PAD_HV), tl.float32)
    spans_ptr += shared // n_kv_heads * 2 * n_keys
    low, high = reach(spans_ptr, first, TILE_S, n_keys, ahead, behind, PACKED)
    low = tl.maximum(low - (n_keys - n_tokens), 0) // TILE_T * TILE_T
    high -= n_keys - n_tokens
    for head in range(shared * GROUP, shared * GROUP + GROUP):
        above = head * n_tokens
        for start in range(low, high, TILE_T):
            rows = start + tl.arange(0, TILE_T)
            q = load_rows(q_ptr + above * H, rows, n_tokens, H, PAD_H)
            grad = load_rows(grad_ptr + above * HV, rows, n_tokens, HV, PAD_HV)
            weights, inner = differentiate_tile(
                *(q, k, v, grad, lse_ptr + above, along_ptr + above),
                *(spans_ptr, rows, keys),
                *(factor, n_tokens, n_keys, behind, ahead, PACKED),
            )
            turned = tl.trans(weights).to(grad.dtype)
            v_grad += tl.dot(turned, grad, input_precision=EXACT)
            turned = tl.trans(inner).to(q.dtype)
            k_grad += tl.dot(turned, q, input_precision=EXACT)
    k_grad_ptr += shared * n_keys * H
    store_rows(k_grad_ptr, k_grad * scale, keys, n_keys, H, PAD_H)
    v_grad_ptr += shared * n_keys * HV
    store_rows(v_grad_ptr, v_grad, keys, n_keys, HV, PAD_HV)
