"""Which keys a query may see, and what a kernel is told about it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.attention.masks import (
    CAUSAL,
    Causal,
    Everything,
    Mask,
    Window,
    distances,
)

CPU = torch.device("cpu")
MASKS = [CAUSAL, Window(1), Window(3), Window(50), Everything()]
lengths = st.tuples(st.integers(1, 9), st.integers(0, 9))


@given(lengths)
def test_the_last_query_stands_at_the_last_key(sizes):
    """With S > T a mask anchored at row 0 lets the newest token see only
    the oldest key. The bug survives any test in which S == T."""
    n_tokens, past = sizes
    back = distances(n_tokens, past + n_tokens, CPU)
    for t in range(n_tokens):
        for s in range(past + n_tokens):
            assert back[t, s] == past + t - s


@given(lengths, st.integers(1, 12))
def test_a_window_counts_the_query_itself(sizes, width):
    """A window of W that holds W + 1 keys: checkpoints disagree by one."""
    n_tokens, past = sizes
    seen = Window(width).visible(n_tokens, past + n_tokens, CPU)
    for t in range(n_tokens):
        expected = min(width, past + t + 1)
        assert seen[t].sum() == expected
        assert seen[t, past + t], "a query that does not see its own key"


@given(lengths, st.sampled_from(MASKS))
def test_what_a_kernel_is_told_is_what_is_visible(sizes, mask):
    """A kernel told 'future' where the mask hides more sees too much."""
    n_tokens, n_keys = sizes[0], sum(sizes)
    seen = mask.visible(n_tokens, n_keys, CPU)
    square = torch.ones(n_tokens, n_keys, dtype=torch.bool).tril()
    told = mask.hides(n_tokens, n_keys)
    if told == "nothing":
        assert seen.all()
    if told == "future":
        assert n_tokens == n_keys
        assert torch.equal(seen, square)


def test_a_square_needs_no_mask_in_memory():
    """A mask of T by T handed over keeps PyTorch from its fast kernel."""
    assert CAUSAL.hides(5, 5) == "future"
    assert CAUSAL.hides(1, 5) == "nothing"
    assert CAUSAL.hides(2, 5) == "more"
    assert Window(5).hides(5, 5) == "future"
    assert Window(4).hides(5, 5) == "more"
    assert Window(4).hides(1, 5) == "more"


def test_masks_are_equal_by_value():
    """Configurations with equal masks must be the same configuration."""
    assert Causal() == CAUSAL
    assert Window(3) != Window(4)
    assert all(isinstance(mask, Mask) for mask in MASKS)


def test_hostile_sizes_are_refused():
    """A window of nothing gives rows of nan; more queries than keys, a
    mask that hides a query's own key."""
    with pytest.raises(ValueError, match="at least 1"):
        Window(0)
    with pytest.raises(ValueError, match="append the keys"):
        distances(3, 2, CPU)
