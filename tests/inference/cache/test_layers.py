"""What a layer keeps, and what it forgets."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.inference.cache.layers import (
    ContiguousLayer,
    KeptLayer,
    RollingLayer,
)
from scratchlm.model.attention.attention import LayerCache

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=30)


def numbered(start, n, n_rows=2):
    """Keys whose numbers are their positions; values are the negatives."""
    at = torch.arange(start, start + n, dtype=torch.float32)
    k = at[None, None, :, None].repeat(n_rows, 3, 1, 4)
    return k, -k[..., :2]


def positions(k):
    return k[0, 0, :, 0].tolist()


@given(sizes=SIZES)
def test_all_positions_come_back_in_order(sizes):
    """A buffer that loses its content when it grows."""
    layer, seen = ContiguousLayer(), 0
    for n in sizes:
        k, v = layer.append(*numbered(seen, n))
        seen += n
        assert layer.seen == seen
        assert positions(k) == list(range(seen))
        assert torch.equal(v, -k[..., :2])


@settings(max_examples=60)
@given(sizes=SIZES, size=st.integers(1, 7))
def test_a_window_gets_its_keys_and_no_others_in_order(sizes, size):
    """A ring buffer breaks causality past the window (litgpt#2182,
    transformers#37574): its oldest entry stands behind its newest."""
    layer, seen = RollingLayer(size), 0
    for n in sizes:
        k, v = layer.append(*numbered(seen, n))
        first = max(0, seen - (size - 1))
        seen += n
        assert layer.seen == seen
        assert positions(k) == list(range(first, seen))
        assert torch.equal(v, -k[..., :2])


def test_memory_of_a_window_does_not_grow():
    """A window that hides the old keys, and keeps them."""
    layer = RollingLayer(5)
    layer.append(*numbered(0, 3))
    before = layer.n_bytes
    assert before == 2 * 5 * (2 * 3 * (4 + 2)) * 4
    for at in range(3, 50):
        layer.append(*numbered(at, 1))
    layer.append(*numbered(50, 40))
    assert layer.n_bytes == before


def test_a_buffer_moves_seldom():
    """A cache that is copied for each token: a text of n costs n squared."""
    layer, homes = ContiguousLayer(), set()
    for at in range(1000):
        k, _ = layer.append(*numbered(at, 1))
        homes.add(k.untyped_storage().data_ptr())
    assert len(homes) <= 5  # 64, 128, 256, 512, 1024


@pytest.mark.parametrize("make", [ContiguousLayer, lambda: RollingLayer(4)])
def test_rows_leave_come_twice_and_go_on(make):
    """A buffer that keeps the rows of those who have left."""
    layer = make()
    assert isinstance(layer, KeptLayer)
    assert isinstance(layer, LayerCache)
    k, v = numbered(0, 6, n_rows=3)
    k = k + 100 * torch.arange(3)[:, None, None, None]
    layer.append(k, v)
    layer.keep(torch.tensor([2, 0, 2]))
    k, _ = layer.append(*numbered(6, 1, n_rows=3))
    hundreds = k[:, 0, :-1, 0].div(100, rounding_mode="floor")
    assert hundreds.unique(dim=1)[:, 0].tolist() == [2, 0, 2]
    assert k[:, 0, -1, 0].tolist() == [6, 6, 6]


@pytest.mark.parametrize("make", [ContiguousLayer, lambda: RollingLayer(4)])
def test_no_graph_is_kept(make):
    """A cache that holds each step's graph: memory grows without end."""
    layer = make()
    for _ in range(3):
        k = torch.ones(1, 1, 3, 2, requires_grad=True)
        kept, _ = layer.append(k * 2, k * 3)
    assert not kept.requires_grad


def test_a_window_of_nothing_is_refused():
    """A query that does not see itself: a softmax over nothing."""
    with pytest.raises(ValueError, match="use at least 1"):
        RollingLayer(0)
