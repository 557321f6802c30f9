"""No token reaches back, whatever the parts, with a cache or without."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.model.transformer.transformer import Cache


def in_chunks(model, tokens, sizes, cache):
    pieces = tokens.split(sizes, 1)
    return torch.cat([model(piece, cache=cache) for piece in pieces], 1)


@pytest.mark.parametrize("at", [0, 7, 18])
def test_a_token_changes_nothing_before_it(variant, at, build, draw):
    """A mask that is off by one: the loss falls to near zero, and the model
    has learnt to copy."""
    model, tokens = build(variant), draw(variant, 19)
    other = tokens.clone()
    other[:, at] = (other[:, at] + 1) % variant.vocab_size
    with torch.no_grad():
        before, after = model(tokens), model(other)
    assert torch.equal(before[:, :at], after[:, :at])
    assert not torch.allclose(before[:, at], after[:, at], atol=1e-3)


def test_a_token_changes_nothing_before_it_with_a_cache(
    variant, grow_cache, build, draw
):
    """A mask anchored at the first query lets a chunk see its own future
    once the cache holds something; no test in which S is T notices."""
    model, tokens = build(variant), draw(variant, 19)
    other = tokens.clone()
    other[:, 14] = (other[:, 14] + 1) % variant.vocab_size
    with torch.no_grad():
        before, after = (
            in_chunks(model, each, [9, 8, 2], grow_cache(variant.n_layers))
            for each in (tokens, other)
        )
    assert torch.equal(before[:, :14], after[:, :14])
    assert not torch.allclose(before[:, 14], after[:, 14], atol=1e-3)


@pytest.mark.parametrize("name", ["window", "capped, with a window"])
def test_a_window_forgets(variants, name, build, draw):
    """A window that is told to the kernel as a causal mask. Two layers of
    five keys reach eight tokens back and no further."""
    config = variants[name]
    model, tokens = build(config), draw(config, 19)
    other = tokens.clone()
    other[:, 4] = (other[:, 4] + 1) % config.vocab_size
    with torch.no_grad():
        before, after = model(tokens), model(other)
    changed = (before != after).any(-1).any(0)
    assert changed[4:13].all()
    assert not changed[13:].any()


@settings(max_examples=8)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_cached_equals_uncached(variant, grow_cache, sizes, build, draw):
    """Positions that start at 0 in each chunk, or a mask with the wrong
    corner: fluent text that forgets what it said."""
    model, tokens = build(variant), draw(variant, sum(sizes))
    cache = grow_cache(variant.n_layers)
    assert isinstance(cache, Cache)
    with torch.no_grad():
        at_once = model(tokens)
        piece_by_piece = in_chunks(model, tokens, sizes, cache)
    torch.testing.assert_close(piece_by_piece, at_once, rtol=1e-4, atol=1e-5)
