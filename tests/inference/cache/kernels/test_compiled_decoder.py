"""Compiled steps, against the model as it is."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch

from scratchlm.inference.cache.generate import complete
from scratchlm.inference.cache.kernels.compiled_decoder import (
    CompiledDecoder,
    for_single_queries,
)
from scratchlm.inference.cache.kernels.single_query import SingleQuery
from scratchlm.inference.cache.static import StaticCache
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import Window
from scratchlm.model.published.kernel_parts import with_kernels

ROWS, ONE = (5, 2, 9), (5,)
CASES = [
    ("rope", ROWS),
    ("rope", ONE),
    ("every second layer has a window", ROWS),
    ("latents", ROWS),
    ("latents", ONE),
]


@pytest.mark.slow  # it compiles, which takes seconds
@pytest.mark.parametrize(("name", "lengths"), CASES)
def test_compiled_equals_plain(  # noqa: PLR0917
    name,
    lengths,
    variants,
    build,
    prompts,
    recorder,
    equal_to_whole_texts,
    unchecked,
):
    """A window taken for a constant, or a slot that the compiler fixed at
    the place of the first step; in one row, a projection that is summed
    along the wrong axis."""
    config = with_kernels(variants[name])
    model, rows = build(config), prompts(config, *lengths)
    fast = CompiledDecoder(model)
    written = complete(
        fast,
        rows,
        max_new_tokens=8,
        sampler=recorder,
        cache=StaticCache(fast, 20),
    )
    equal_to_whole_texts(model, rows, written, recorder)


COUNT = """
import torch
from scratchlm.inference.cache import CompiledDecoder, StaticCache, complete
from scratchlm.inference.sampling import sampler
from scratchlm.model.transformer import Transformer, TransformerConfig

sizes = dict(d_model=16, n_heads=2, n_kv_heads=1, d_head=8, d_ff=16)
config = TransformerConfig(vocab_size=9, n_layers=4, max_tokens=20, **sizes)
model = CompiledDecoder(Transformer(config).eval())
given = {"max_new_tokens": 9, "cache": StaticCache(model, 12)}
given |= {"sampler": sampler(seed=1), "stop": {0, 1}}
written = complete(model, [[1, 2, 3], [4], [5, 6]], **given)
assert len({len(row) for row in written}) > 1, written
counters = torch._dynamo.utils.counters
print(counters["stats"]["unique_graphs"], len(counters["graph_break"]))
"""


@pytest.mark.slow  # it imports and compiles, which takes seconds
def test_one_compilation_serves_all_layers_and_all_steps():
    """Each block, or each number of rows left, compiled anew: minutes before
    a word. The second graph is that of the head. Checks of types would be
    compiled too, so it is a process without them."""
    told = subprocess.run(
        [sys.executable, "-c", COUNT],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["2", "0"]


def test_weights_are_shared(variants, build):
    """A second copy of the weights, or a head that is untied."""
    model = build(with_kernels(variants["tied"]))
    fast = CompiledDecoder(model)
    own = {p.data_ptr() for p in model.parameters()}
    assert {p.data_ptr() for p in fast.parameters()} == own
    assert fast.step.head.weight is fast.step.embedding.tokens.weight


def test_changes_of_weights_are_seen(variants, build, unchecked):
    """A decoder that goes on with what the weights were when it was made,
    after a step of training or after they have moved."""
    model = build(variants["rope"])
    fast, draw = CompiledDecoder(model), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(generator=draw)
    for weight, seen in zip(
        model.parameters(), fast.step.parameters(), strict=True
    ):
        assert torch.equal(weight, seen)
    model.to(torch.float64)
    with pytest.raises(ValueError, match="make a new CompiledDecoder"):
        complete(fast, [[1, 2]], max_new_tokens=2, cache=StaticCache(fast, 4))


def test_cores_are_exchanged_wherever_they_stand(small):
    """A tuple or a partial that keeps its slow core."""
    windowed = partial(DotProduct, mask=Window(5))
    made = for_single_queries(replace(small, core=(windowed, DotProduct)))
    assert made.core[0].func is SingleQuery
    assert made.core[0].keywords == {"mask": Window(5)}
    assert made.core[1] is SingleQuery
