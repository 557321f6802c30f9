from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("triton")

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import Causal, Everything, Reach, Window
from scratchlm.model.efficient_attention.kernels import (
    triton_attention as triton_module,
)
from scratchlm.model.efficient_attention.kernels.triton_attention import (
    TritonAttention,
    triton_attention,
)

MASKS = [Causal(), Window(1), Window(40), Everything()]


def draw(n_tokens, n_keys, heads=(2, 1), widths=(24, 20), dtype=None):
    torch.manual_seed(n_tokens + 1000 * n_keys)
    shapes = [(heads[0], n_tokens, widths[0]), (heads[1], n_keys, widths[0])]
    shapes.append((heads[1], n_keys, widths[1]))
    return [
        torch.randn(2, *shape, dtype=dtype, requires_grad=True)
        for shape in shapes
    ]


def differentiate(core, inputs, documents=None):
    out = core(*inputs, documents)
    grad = torch.linspace(-1, 1, out.numel()).view_as(out).to(out.dtype)
    return out, *torch.autograd.grad(out, inputs, grad)


def check_equal(mask, inputs, tolerance=2e-5, scale=None, rows=None):
    """Both sides on the same numbers; runs under the interpreter."""
    inputs = draw(*inputs)
    n_heads = inputs[0].shape[1]
    documents = None if rows is None else Documents.of(torch.tensor(rows))
    ours = differentiate(
        TritonAttention(n_heads, mask=mask, scale=scale), inputs, documents
    )
    reference = differentiate(
        DotProduct(n_heads, mask=mask, scale=scale), inputs, documents
    )
    for a, b in zip(ours, reference, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.slow  # Triton interprets
@settings(max_examples=25)
@given(
    st.integers(1, 20),
    st.integers(0, 20),
    st.sampled_from(MASKS),
    st.sampled_from([(2, 2), (4, 2), (3, 1)]),
    st.sampled_from([(16, 16), (24, 20), (5, 33)]),
)
def test_kernels_equal_pytorch(  # noqa: PLR0917
    interpreted, n_tokens, n_before, mask, heads, widths
):
    """Edges that are no multiple of a tile, heads that are no power of two,
    and query heads that read another group's keys."""
    shape = n_tokens, n_tokens + n_before, heads, widths
    interpreted(check_equal, mask, shape)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shape", [(150, 150), (70, 200)])
def test_many_tiles(interpreted, mask, shape):
    """A tile skipped that holds a visible key; an accumulator that is not
    shrunk; a row that has seen nothing after its first tile."""
    interpreted(check_equal, mask, (*shape, (1, 1)))


def lay(lengths, n_keys):
    """Documents of these lengths, and padding."""
    row = [number for number, n in enumerate(lengths) for _ in range(n)]
    return (row + [-1] * n_keys)[:n_keys]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shape", [(150, 150), (70, 200)])
def test_documents(interpreted, mask, shape):
    """A row of the batch that has another one's documents; a tile skipped
    in which a document goes on; a document shorter than a tile."""
    lengths = [[1, 40, 100, 3], [64, 32, 32, 1, 1]]
    rows = [lay(each, shape[1]) for each in lengths]
    interpreted(check_equal, mask, (*shape, (4, 2)), 2e-5, None, rows)


def test_float16_is_summed_in_float32(interpreted):
    """Weights that add up in eleven bits."""
    shape = 80, 80, (2, 1), (24, 20), torch.float16
    interpreted(check_equal, Causal(), shape, 4e-3)


def test_scale_is_used_in_both_directions(interpreted):
    """A factor of log2(e) that the backward pass applies once too often."""
    interpreted(check_equal, Causal(), (9, 9), 2e-5, 0.7)


class Launches:
    """In place of a kernel: keeps the grids and runs nothing."""

    def __init__(self):
        self.grids = []

    def __getitem__(self, grid):
        self.grids.append(grid)
        return lambda *given, **options: None


def test_heads_may_be_more_than_65535(monkeypatch):
    """Heads of all rows counted on the second axis of the grid, which ends
    there on a GPU, and not in the interpreter."""
    launches = Launches()
    for name in ("mix", "differentiate_queries", "differentiate_keys"):
        monkeypatch.setattr(triton_module, name, launches)
    inputs = torch.zeros(3, 40_000, 2, 1, 16, requires_grad=True)
    q, k, v = inputs
    out = TritonAttention(2)(q, k, v)
    torch.autograd.grad(out, inputs, out)
    assert [prod(grid) for grid in launches.grids] == [80_000] * 3
    assert all(each <= 65_535 for g in launches.grids for each in g[1:])


def check_layout():
    q, k, v = (x.detach() for x in draw(9, 9, widths=(24, 24)))
    turned = [x.transpose(2, 3).contiguous().transpose(2, 3) for x in (q, k)]
    core = TritonAttention(2)
    torch.testing.assert_close(core(*turned, v), core(q, k, v))
    assert core(q[:0], k[:0], v[:0]).shape == (0, 2, 9, 24)


def test_transposed_and_empty(interpreted):
    """Pointers that assume rows side by side, though attention hands over
    transposed views; a grid of no programs."""
    interpreted(check_layout)


def test_where_no_kernel_can_run():
    """An error from deep inside the compiler."""
    with pytest.raises(ValueError, match="TRITON_INTERPRET=1"):
        TritonAttention(2)(*draw(4, 4))


def check_refusals():
    q, k, v = draw(3, 3)
    reach = Reach(9, 0)
    with pytest.raises(ValueError, match="3 queries but 2 keys"):
        triton_attention(q, k[:, :, :2], v[:, :, :2], reach=reach)
    with pytest.raises(ValueError, match="convert them to one type"):
        triton_attention(q, k.half(), v, reach=reach)
    with pytest.raises(ValueError, match="bits of bfloat16"):
        triton_attention(*(x.bfloat16() for x in (q, k, v)), reach=reach)
    wide = draw(3, 3, widths=(24, 129))
    with pytest.raises(ValueError, match="heads of 24 and 129"):
        triton_attention(*wide, reach=reach)
    documents = Documents.of(torch.tensor([[0, 1], [0, 0]]))
    with pytest.raises(ValueError, match="3 keys, but the documents of 2"):
        triton_attention(q, k, v, reach=reach, documents=documents)


def test_what_the_kernels_cannot_do_is_named(interpreted):
    """Numbers without meaning, and no error."""
    interpreted(check_refusals)
