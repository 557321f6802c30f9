"""A cache changes nothing, whatever the parts of a model."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.inference.cache.generate import complete
from scratchlm.inference.cache.kv_cache import cache_for
from scratchlm.inference.cache.layers import ContiguousLayer, RollingLayer
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import Everything, Window
from scratchlm.model.published.accounting import kv_cache_bytes
from scratchlm.model.transformer.transformer import Cache


@settings(max_examples=4)
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_cached_equals_uncached(variant, sizes, build, prompts):
    """Positions that start at 0 in each piece, a mask at the wrong corner,
    a window that forgets a key too early."""
    model, cache = build(variant), cache_for(build(variant))
    assert isinstance(cache, Cache)
    tokens = torch.tensor(prompts(variant, sum(sizes), sum(sizes)))
    with torch.no_grad():
        pieces = [model(t, cache=cache) for t in tokens.split(sizes, 1)]
        whole = model(tokens)
    torch.testing.assert_close(
        torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("chunk", [None, 4])
def test_rows_of_unlike_length_are_each_alone(  # noqa: PLR0917
    variant, chunk, build, prompts, recorder, equal_to_whole_texts
):
    """A left-padded batch shares one position vector (unsloth#3699), or a
    window counts padding that it cannot see."""
    model, rows = build(variant), prompts(variant, 9, 3, 14, 5)
    written = complete(
        model, rows, max_new_tokens=7, sampler=recorder, chunk=chunk
    )
    equal_to_whole_texts(model, rows, written, recorder)


@pytest.mark.parametrize("length", range(3, 9))
def test_lengths_around_the_edge_of_a_window(  # noqa: PLR0917
    length, variants, build, prompts, recorder, equal_to_whole_texts
):
    """Off by one where the window of five fills, by rows that fill it at
    different steps."""
    config = variants["every second layer has a window"]
    model, rows = build(config), prompts(config, length, 2)
    written = complete(model, rows, max_new_tokens=14, sampler=recorder)
    equal_to_whole_texts(model, rows, written, recorder)


def test_a_layer_with_a_window_keeps_no_more(variants, build):
    """A rolling layer for a core that sees all, or the other way round."""
    cache = cache_for(build(variants["every second layer has a window"]))
    kinds = [type(layer) for layer in cache.layers]
    assert kinds == [RollingLayer, ContiguousLayer] * 2
    assert cache[0].size == 5


@pytest.mark.parametrize("name", ["rope", "multi-query", "latents"])
def test_memory_is_what_the_formula_says(name, variants, build, prompts):
    """Keys of all query heads kept, or a latent cache that keeps keys."""
    config = variants[name]
    model, cache = build(config), cache_for(build(config))
    with torch.no_grad():
        model(torch.tensor(prompts(config, 64)), cache=cache)
    assert cache.n_bytes == kv_cache_bytes(config, 64, torch.float32)


def test_rows_that_share_a_prompt_go_their_ways(
    variants, build, prompts, equal_to_whole_texts
):
    """A search copies a row: both copies must not share their keys."""
    config = variants["window"]
    model, cache = build(config), cache_for(build(config))
    row = prompts(config, 7)[0]
    with torch.no_grad():
        model(torch.tensor([row]), cache=cache)
        cache.keep(torch.tensor([0, 0]))
        for step in ([[1], [2]], [[3], [4]]):
            last = model(torch.tensor(step), cache=cache)[:, -1]
        whole = model(torch.tensor([[*row, 1, 3], [*row, 2, 4]]))[:, -1]
    torch.testing.assert_close(last, whole, rtol=1e-5, atol=1e-5)


def test_padding_inside_of_a_text_is_refused(small, build, prompts):
    """Rows of unlike length behind a full cache: the gap would be read."""
    model, cache = build(small), cache_for(build(small))
    rows = prompts(small, 4, 4)
    complete(model, rows, max_new_tokens=1, cache=cache)
    with pytest.raises(ValueError, match="rows of 2 to 3 tokens go on"):
        complete(model, prompts(small, 2, 3), max_new_tokens=1, cache=cache)


def test_a_text_goes_on_in_its_own_row(small, build, prompts):
    """Rows that have stopped left the cache, and another text goes on in
    their place."""
    model, cache = build(small), cache_for(build(small))
    rows = prompts(small, 4, 4, 4)
    first = complete(model, rows, max_new_tokens=2)
    complete(model, rows, max_new_tokens=2, cache=cache, stop={first[1][0]})
    assert cache.n_rows < 3
    with pytest.raises(ValueError, match="3 rows go on with"):
        complete(model, prompts(small, 2, 2, 2), max_new_tokens=1, cache=cache)


def test_a_model_that_looks_ahead_has_no_cache(small, build):
    """An encoder's keys change with each token behind them."""
    core = partial(DotProduct, mask=Everything())
    with pytest.raises(ValueError, match="use a causal mask"):
        cache_for(build(replace(small, core=core)))


def test_documents_of_forgotten_keys_are_forgotten(small, build, prompts):
    """Several documents and a window: the last keys are masked by the
    documents of the first."""
    config = replace(small, core=partial(DotProduct, mask=Window(4)))
    model, cache = build(config), cache_for(build(config))
    tokens = torch.tensor(prompts(config, 12))
    documents = torch.tensor([[0] * 5 + [1] * 7])
    with torch.no_grad():
        whole = model(tokens, documents=documents)
        pieces = [
            model(
                tokens[:, at : at + 3],
                cache=cache,
                documents=documents[:, : at + 3],
            )
            for at in range(0, 12, 3)
        ]
    torch.testing.assert_close(
        torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-5
    )
