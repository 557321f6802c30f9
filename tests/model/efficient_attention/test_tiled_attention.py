import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
)
from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import Causal, Everything, Reach, Window
from scratchlm.model.efficient_attention.live_memory import peak_bytes
from scratchlm.model.efficient_attention.tiled_attention import (
    Tiled,
    _PackedTiles,
    _Tiles,
    reach_of,
    tiled_attention,
)

MASKS = [Causal(), Window(1), Window(5), Everything()]


def draw(n_tokens, n_keys, *, heads=(4, 2), dtype=torch.float64):
    """Queries, keys and values; values are narrower, as no core may mind."""
    torch.manual_seed(n_tokens + 100 * n_keys)
    shapes = [(heads[0], n_tokens, 6), (heads[1], n_keys, 6)]
    shapes.append((heads[1], n_keys, 5))
    return [
        torch.randn(2, *shape, dtype=dtype, requires_grad=True)
        for shape in shapes
    ]


def differentiate(core, inputs, documents=None):
    """The output, and the gradients for one that is not uniform."""
    out = core(*inputs, documents)
    grad = torch.linspace(-1, 1, out.numel()).view_as(out).to(out.dtype)
    return out, *torch.autograd.grad(out, inputs, grad)


@given(
    st.integers(1, 20),
    st.integers(0, 20),
    st.sampled_from(MASKS),
    st.sampled_from([(4, 4), (4, 2), (3, 1)]),
    st.integers(1, 24),
)
def test_tiles_equal_the_whole(n_tokens, n_before, mask, heads, tile):
    """A last tile that is not full, a tile skipped that holds a visible key,
    an accumulator that is not shrunk when a later tile holds the maximum."""
    inputs = draw(n_tokens, n_tokens + n_before, heads=heads)
    ours = differentiate(Tiled(heads[0], mask=mask, tile=tile), inputs)
    reference = differentiate(DotProduct(heads[0], mask=mask), inputs)
    for a, b in zip(ours, reference, strict=True):
        torch.testing.assert_close(a, b)


@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.integers(1, 30),
    st.sampled_from(MASKS),
    st.integers(1, 24),
)
def test_tiles_of_documents_equal_the_whole(
    begins, others, n_tokens, mask, tile
):
    """A tile skipped in which one row of the batch has something to see; a
    tile taken for one document whose rows hold two."""
    n_keys = min(len(begins), len(others))
    rows = [torch.tensor(each[:n_keys]) for each in (begins, others)]
    documents = Documents.of(torch.stack(rows).cumsum(1))
    inputs = draw(min(n_tokens, n_keys), n_keys)
    ours = differentiate(Tiled(4, mask=mask, tile=tile), inputs, documents)
    whole = differentiate(DotProduct(4, mask=mask), inputs, documents)
    for a, b in zip(ours, whole, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("mask", MASKS)
def test_gradients_by_differences(mask):
    """A backward that agrees with another one that is as wrong."""
    core = Tiled(2, mask=mask, tile=2)
    assert torch.autograd.gradcheck(core, draw(3, 5, heads=(2, 1)))


def test_scale_is_used_in_both_directions():
    """A scale that the backward pass applies twice, or not at all."""
    inputs = draw(7, 7)
    ours = differentiate(Tiled(4, scale=0.3, tile=4), inputs)
    reference = differentiate(DotProduct(4, scale=0.3), inputs)
    for a, b in zip(ours, reference, strict=True):
        torch.testing.assert_close(a, b)


def test_causal_is_anchored_at_the_last_query():
    """With S > T a mask anchored at row 0 lets the newest token see only the
    oldest keys. The bug survives any test in which S == T."""
    q, k, v = draw(2, 9)
    whole = Tiled(4, tile=4)(q, k, v)
    v = v.detach().clone()
    v[:, :, -1] += 1
    changed = Tiled(4, tile=4)(q, k, v)
    assert torch.equal(whole[:, :, 0], changed[:, :, 0])
    assert not torch.equal(whole[:, :, 1], changed[:, :, 1])


def test_a_row_that_a_tile_hides_entirely_stays_a_number():
    """-inf - -inf: the first tile of a window's rows holds, for the later
    rows, no visible key, and their maximum is still -inf."""
    inputs = draw(8, 8)
    for each in differentiate(Tiled(4, mask=Window(2), tile=4), inputs):
        assert each.isfinite().all()


def test_large_scores_do_not_overflow():
    """A sum of exponentials without the running maximum is inf in float32
    from a score of 89 on; one whose accumulator keeps the first tile's
    maximum gives nought for all later tiles."""
    q, k, v = draw(16, 16, dtype=torch.float32)
    with torch.no_grad():
        k *= torch.linspace(1, 300, 16)[:, None]
    ours = differentiate(Tiled(4, tile=4), (q, k, v))
    reference = differentiate(ScoredAttention(4), (q, k, v))
    for a, b in zip(ours, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_tiles_out_of_sight_are_never_computed(monkeypatch):
    """A mask that is applied to every tile: right, and no faster."""
    seen = []
    softmax_input = torch.Tensor.amax
    monkeypatch.setattr(
        torch.Tensor,
        "amax",
        lambda x, dim: seen.append(x.shape) or softmax_input(x, dim),
    )
    q, k, v = (x.detach() for x in draw(32, 32))
    for mask, n_tiles in [(Everything(), 64), (Causal(), 36), (Window(4), 15)]:
        seen.clear()
        Tiled(4, mask=mask, tile=4)(q, k, v)
        assert len(seen) == n_tiles


def test_tiles_in_which_no_documents_meet_are_never_computed(monkeypatch):
    """Tiles that are made and hidden: right, and no faster. Documents of
    eight and of four tokens meet in the tiles of the longer one."""
    seen = []
    softmax_input = torch.Tensor.amax
    q, k, v = (x.detach() for x in draw(32, 32))
    at = torch.arange(32)
    documents = Documents.of(torch.stack([at // 8, at // 4]))
    assert documents.edges  # its own maxima are none of the tiles'
    monkeypatch.setattr(
        torch.Tensor,
        "amax",
        lambda x, dim: seen.append(x.shape) or softmax_input(x, dim),
    )
    for mask, n_tiles in [(Everything(), 16), (Causal(), 12), (Window(1), 8)]:
        seen.clear()
        Tiled(4, mask=mask, tile=4)(q, k, v, documents)
        assert len(seen) == n_tiles


def test_tiles_of_one_document_make_no_mask():
    """A comparison of all pairs of a tile that lies inside one document."""
    documents = Documents.of(torch.tensor([[0] * 8 + [1] * 8, [0] * 16]))
    plain = _Tiles(16, 16, Reach(99, 0), 4)
    tiles = _PackedTiles(plain, documents)
    cpu = torch.device("cpu")
    assert tiles.hidden((4, 8), (0, 4), cpu) is None
    assert tiles.hidden((12, 16), (8, 12), cpu) is None
    hidden = tiles.hidden((8, 12), (4, 8), cpu)
    assert hidden[0].all()
    assert not hidden[1].any()
    assert list(tiles.keys((8, 12))) == [(0, 4), (4, 8), (8, 12)]


@pytest.mark.parametrize("mask", [Causal(), Window(64)])
def test_memory_grows_with_the_tokens(mask):
    """Scores of all tiles that stay alive, in either direction: twice the
    tokens would then take four times the memory."""

    def peak(core, n_tokens):
        torch.manual_seed(0)
        inputs = [
            torch.randn(1, 2, n_tokens, 16, requires_grad=True)
            for _ in range(3)
        ]
        return peak_bytes(lambda: differentiate(core, inputs))

    tiled = [peak(Tiled(2, mask=mask, tile=32), n) for n in (128, 256, 512)]
    assert tiled[2] - tiled[1] == pytest.approx(
        2 * (tiled[1] - tiled[0]), rel=0.05
    )
    whole = peak(ScoredAttention(2, mask=mask), 512)
    assert whole > 10 * tiled[1]


def test_key_heads_are_not_repeated():
    """Keys repeated for all query heads: N / K times the memory, for
    nothing."""

    def peak(n_kv_heads):
        k = torch.randn(1, n_kv_heads, 4096, 16)
        q = torch.randn(1, 8, 1, 16)
        return peak_bytes(lambda: Tiled(8, tile=64)(q, k, k))

    assert peak(1) < torch.empty(8, 4096, 16).nbytes / 4


def test_bfloat16_is_summed_in_float32():
    """A sum of many small weights in eight bits stops growing."""
    torch.manual_seed(0)
    inputs = [
        torch.randn(1, 1, 512, 16).bfloat16().requires_grad_()
        for _ in range(3)
    ]
    exact = [x.detach().double().requires_grad_() for x in inputs]
    ours = differentiate(Tiled(1, tile=8, mask=Everything()), inputs)
    reference = differentiate(Tiled(1, mask=Everything()), exact)
    for a, b in zip(ours, reference, strict=True):
        assert a.dtype == torch.bfloat16
        # One rounding of the result, 2**-8 of it, and one of the output that
        # the backward pass reads. Sums in bfloat16 are off by 0.1.
        torch.testing.assert_close(a.double(), b, rtol=2**-7, atol=4e-3)


def test_autocast_does_not_reach_into_the_tiles():
    """Inside ``torch.autocast`` a product of two float32 tiles comes back in
    bfloat16, and the sums with it."""
    inputs = draw(16, 16, dtype=torch.float32)
    plain = differentiate(Tiled(4, tile=4), inputs)
    with torch.autocast("cpu"):
        inside = differentiate(Tiled(4, tile=4), inputs)
    for a, b in zip(plain, inside, strict=True):
        assert torch.equal(a, b)


def test_what_cannot_be_tiled_is_named():
    """A mask that is no band, silently taken for causal."""

    class Every:
        def hides(self, n_tokens, n_keys):
            return "more"

        def visible(self, n_tokens, n_keys, device):
            return torch.eye(n_tokens, n_keys, device=device) == 1

    with pytest.raises(ValueError, match="use DotProduct"):
        reach_of(Every())
    with pytest.raises(ValueError, match="tile of 0"):
        Tiled(4, tile=0)
    q, k, v = draw(3, 3)
    with pytest.raises(ValueError, match="3 queries but 2 keys"):
        tiled_attention(q, k[:, :, :2], v[:, :, :2], reach=Reach(9, 0))
