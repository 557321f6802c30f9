"""Buffers of one size, filled to different places."""

from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch

from scratchlm.inference.cache.generate import complete
from scratchlm.inference.cache.static import StaticCache
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import CAUSAL, Everything
from scratchlm.model.efficient_attention.tiled_attention import Tiled


def is_tiled(config):
    cores = config.core if isinstance(config.core, tuple) else (config.core,)
    return any(getattr(core, "func", core) is Tiled for core in cores)


@pytest.mark.parametrize("chunk", [None, 4])
def test_rows_of_unlike_length_are_each_alone(  # noqa: PLR0917
    variant, chunk, build, prompts, recorder, equal_to_whole_texts
):
    """Padding at the right that is seen, slots beyond a row's end that are
    seen, a window that counts slots and not positions."""
    if is_tiled(variant):
        pytest.skip("refused, as another test shows")
    model, rows = build(variant), prompts(variant, 9, 3, 14, 5)
    written = complete(
        model,
        rows,
        max_new_tokens=7,
        sampler=recorder,
        chunk=chunk,
        cache=StaticCache(model, 20),
    )
    equal_to_whole_texts(model, rows, written, recorder)


def test_what_lay_in_memory_is_not_read(small, build, prompts, monkeypatch):
    """Memory that was not cleared: a weight of 0 on NaN is NaN."""
    model, rows = build(small), prompts(small, 3, 6)
    whole = complete(model, rows, max_new_tokens=5)
    monkeypatch.setattr(
        torch.Tensor,
        "new_empty",
        lambda x, *shape, **_: x.new_full(shape, torch.nan),
    )
    cache = StaticCache(model, 11)
    assert complete(model, rows, max_new_tokens=5, cache=cache) == whole


def test_rows_leave_as_they_stop(small, build, prompts):
    """A row that has left counts on in the slots of another."""
    model, rows = build(small), prompts(small, 5, 9, 7)
    alone = [complete(model, [row], max_new_tokens=12)[0] for row in rows]
    stop = {alone[1][2]}  # ends the longest row early
    expected = [
        complete(model, [row], max_new_tokens=12, stop=stop)[0] for row in rows
    ]
    cache = StaticCache(model, 7 + 12)
    together = complete(model, rows, max_new_tokens=12, stop=stop, cache=cache)
    assert together == expected
    assert len(expected[1]) < 12


def test_the_shapes_never_change(small, build, prompts):
    """A buffer that grows: each size would be compiled anew."""
    model, cache = build(small), StaticCache(build(small), 20)
    rows = prompts(small, 4, 6)
    seen = set()

    def look(logits, history):
        shapes = [part.shape for part in cache[1].parts]
        seen.add((*shapes, cache.n_bytes))
        return logits.argmax(-1)

    complete(model, rows, max_new_tokens=9, sampler=look, cache=cache)
    assert len(seen) == 1


def test_too_few_slots(small, build, prompts):
    """Keys written over the last slot, or behind the end of the buffer."""
    model = build(small)
    with pytest.raises(ValueError, match="n_slots is 0"):
        StaticCache(model, 0)
    with pytest.raises(ValueError, match="prompt of 8 tokens for 7 slots"):
        complete(
            model,
            prompts(small, 8),
            max_new_tokens=1,
            cache=StaticCache(model, 7),
        )
    with pytest.raises(ValueError, match="all 9 slots"):
        complete(
            model,
            prompts(small, 8),
            max_new_tokens=3,
            cache=StaticCache(model, 9),
        )
    # The last token that is written is never read.
    complete(
        model, prompts(small, 8), max_new_tokens=2, cache=StaticCache(model, 9)
    )


def test_a_second_prompt_is_refused(small, build, prompts):
    """Texts of unlike length that go on: their slots differ."""
    model, cache = build(small), StaticCache(build(small), 30)
    complete(model, prompts(small, 4), max_new_tokens=1, cache=cache)
    with pytest.raises(ValueError, match="reads one prompt"):
        complete(model, prompts(small, 4), max_new_tokens=1, cache=cache)


def test_cores_that_would_see_wrong_slots_are_refused(
    variants, build, prompts
):
    """A kernel that derives what it skips from where documents begin, and
    reads slots that nobody filled."""
    config = variants["tiles, every second layer with a window"]
    model = build(config)
    with pytest.raises(ValueError, match="use DotProduct"):
        complete(
            model,
            prompts(config, 8),
            max_new_tokens=2,
            cache=StaticCache(model, 9),
        )


@dataclass(frozen=True)
class Odd:
    """A mask that is no band."""

    hides = staticmethod(CAUSAL.hides)
    visible = staticmethod(CAUSAL.visible)


@pytest.mark.parametrize(
    ("mask", "says"), [(Odd(), "no reach"), (Everything(), "causal mask")]
)
def test_masks_that_slots_cannot_tell_are_refused(mask, says, small, build):
    """A mask that is asked for distances in a row that has gaps."""
    config = replace(small, core=partial(DotProduct, mask=mask))
    with pytest.raises(ValueError, match=says):
        StaticCache(build(config), 9)
