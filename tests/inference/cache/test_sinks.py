"""Texts longer than the cache: what is kept, and where it stands."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from scratchlm.inference.cache.generate import complete
from scratchlm.inference.cache.sinks import SinkCache
from scratchlm.model.positions.context_extension import YaRN
from scratchlm.model.positions.rotary import Rotary

ROTARIES = ["rope", "part of a head turned", "alibi", "no order", "latents"]


@pytest.mark.parametrize("name", ROTARIES)
def test_a_text_that_fits_is_read_as_a_whole(  # noqa: PLR0917
    name, variants, build, prompts, recorder, equal_to_whole_texts
):
    """Sinks that are turned before anything was dropped."""
    model, rows = build(variants[name]), prompts(variants[name], 7, 7)
    cache = SinkCache(model, 20, n_sinks=2)
    written = complete(
        model, rows, max_new_tokens=13, sampler=recorder, cache=cache
    )
    equal_to_whole_texts(model, rows, written, recorder)


@torch.no_grad()
@pytest.mark.parametrize("n_sinks", [0, 1, 3])
@pytest.mark.parametrize("name", ROTARIES)
def test_what_is_dropped_leaves_no_gap(
    name, n_sinks, variants, build, prompts
):
    """The kept keys must give what a text of the kept tokens gives: a sink
    at its old place is farther away than any key in training. With one
    layer, keys depend on nothing but their own token."""
    config = replace(variants[name], n_layers=1)
    model, size = build(config), 10
    cache, (row,) = (
        SinkCache(model, size, n_sinks=n_sinks),
        prompts(config, 40),
    )
    kept = []
    for at, token in enumerate(row):
        if len(kept) == size:
            n = (size - n_sinks) // 2
            kept = kept[:n_sinks] + kept[n_sinks + n :]
        kept.append(token)
        last = model(torch.tensor([[token]]), cache=cache)[:, -1]
        assert cache.length == at + 1
        alone = model(torch.tensor([kept]))[:, -1]
        torch.testing.assert_close(last, alone, rtol=1e-5, atol=1e-5)


def test_memory_stays(small, build, prompts):
    """A buffer for the dropped keys too, and a context that ends it."""
    model = build(small)
    cache = SinkCache(model, 12)
    complete(model, prompts(small, 30), max_new_tokens=5, cache=cache)
    before = cache.n_bytes
    complete(model, prompts(small, 90), max_new_tokens=60, cache=cache)
    assert cache.n_bytes == before
    assert cache.length > small.max_tokens


@torch.no_grad()
def test_a_turn_that_stretches_is_applied_once(small, build, prompts):
    """YaRN makes keys longer; a sink that is turned again must not grow."""
    scaling = YaRN(4.0, original=16)
    rotary = partial(Rotary, scaling=scaling)
    config = replace(small, rotary=rotary, n_layers=1)
    model = build(config)
    cache = SinkCache(model, 8, n_sinks=2)
    token = torch.tensor(prompts(config, 1))
    model(token, cache=cache)
    before = cache[0].buffer.parts[0][:, :, :2].norm(dim=-1)[..., 0]
    for _ in range(30):
        model(token, cache=cache)
    after = cache[0].buffer.parts[0][:, :, :2].norm(dim=-1)[..., 0]
    torch.testing.assert_close(after, before)


def test_what_it_cannot_hold_is_refused(small, variants, build, prompts):
    """Learned positions, rows of unlike length, chunks without room."""
    model = build(small)
    with pytest.raises(ValueError, match="use a model with RoPE"):
        SinkCache(build(variants["learned positions"]), 12)
    with pytest.raises(ValueError, match="n_sinks is 4 and size 5"):
        SinkCache(model, 5)
    with pytest.raises(ValueError, match="n_sinks is -1"):
        SinkCache(model, 5, n_sinks=-1)
    rows = prompts(small, 3, 4)
    with pytest.raises(ValueError, match="rows of one length"):
        complete(model, rows, max_new_tokens=1, cache=SinkCache(model, 9))
    cache = SinkCache(model, 9)
    model(torch.tensor(prompts(small, 9)), cache=cache)
    with pytest.raises(ValueError, match="chunks of at most 5"):
        model(torch.tensor(prompts(small, 6)), cache=cache)
