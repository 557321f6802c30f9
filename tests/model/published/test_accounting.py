from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
)
from scratchlm.model.attention.masks import Window
from scratchlm.model.published import presets
from scratchlm.model.published.accounting import (
    activation_bytes,
    count,
    flops_per_token,
    kv_cache_bytes,
    n_norms,
    parameters,
    saved_bytes,
)
from scratchlm.model.published.presets import LLAMA3, Sizes
from scratchlm.model.transformer.transformer import Transformer

FAMILIES = [
    *(presets.gpt2, presets.llama2, presets.llama3, presets.llama3_1),
    *(presets.llama3_2, presets.mistral, presets.mixtral, presets.qwen2),
    *(presets.qwen3, presets.qwen3_moe, presets.olmo2, presets.gemma2),
    presets.tiny,
]
SIZES = [
    (preset, size)
    for preset in FAMILIES
    if preset is not presets.tiny
    # The tables are called as the presets; 3.1 has the sizes of 3.
    for size in vars(presets).get(preset.__name__.upper(), LLAMA3)
]
DENSE = [f for f in FAMILIES if f not in (presets.mixtral, presets.qwen3_moe)]


def test_every_size_of_every_family_is_seen():
    """A table that is looked for under another name, and not found."""
    assert {preset for preset, _ in SIZES} | {presets.tiny} == set(FAMILIES)
    tables = [t for t in vars(presets).values() if is_table(t)]
    assert len(SIZES) == sum(map(len, tables)) + len(LLAMA3)


def is_table(value):
    return isinstance(value, dict) and all(
        isinstance(row, Sizes) for row in value.values()
    )


@pytest.mark.parametrize(("preset", "size"), [*SIZES, (presets.tiny, 64)])
def test_the_formulas_count_every_preset(preset, size):
    """A bias, a norm or a tied head that a formula forgets, in one size of a
    family and not in the next."""
    config = preset(size)
    with torch.device("meta"):
        model = Transformer(config)
    assert sum(parameters(config).values()) == count(model)


def test_the_formulas_count_every_variant(variant, build):
    """A part whose formula fits the presets' use of it alone."""
    assert sum(parameters(variant).values()) == count(build(variant))


def test_groups_are_those_of_the_model(small, build):
    """Two groups that are wrong by opposite amounts."""
    model, groups = build(small), parameters(small)
    assert groups["embedding"] == count(model.embedding)
    assert groups["head"] == count(model.head)
    assert groups["attention"] == sum(count(b.attention) for b in model.blocks)
    assert groups["norms"] == 5 * count(model.norm)


def test_tied_weights_count_once(small, build):
    """A vocabulary that is counted at both ends of the model."""
    tied = replace(small, tied=True)
    assert parameters(tied)["head"] == 0
    assert count(build(small)) - count(build(tied)) == 61 * 32


@pytest.mark.parametrize("field", ["attention", "block", "embedding", "head"])
def test_a_part_without_a_formula_is_named(small, field):
    """A part of the reader's own, counted as nothing."""

    class Mine(nn.Module):
        pass

    with pytest.raises(ValueError, match="no formula for Mine"):
        parameters(replace(small, **{field: Mine}))


def test_a_block_without_a_formula_is_named(small):
    """A block with norms of its own, counted as two."""
    with pytest.raises(ValueError, match="no formula for Linear"):
        n_norms(replace(small, block=nn.Linear))


def test_operations_are_those_of_the_counter(variant):
    """A head, a gate or a shared key that is left out. With scores in the
    open PyTorch counts all of them, those that the mask hides too."""
    # At an odd width experts use plain products; PyTorch's counter does not
    # know the kernel for groups.
    config = replace(variant, core=ScoredAttention, d_ff=47)
    tokens = torch.zeros(2, 16, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        Transformer(config)(tokens)
    ours = flops_per_token(config, 16, hidden_too=True)
    assert ours.forward * tokens.numel() == counter.get_total_flops()


def test_a_training_step_costs_three_forward_passes(small):
    """The gradient of the inputs, forgotten beside that of the weights.
    The first layer's input needs one too, as the embedding learns. PyTorch
    counts the gradient of a norm's weight too, where it is a product."""
    config = replace(small, core=ScoredAttention)
    model, tokens = Transformer(config), torch.zeros(2, 16, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter:
        model(tokens).sum().backward()
    ours = flops_per_token(config, 16, hidden_too=True)
    measured = counter.get_total_flops() / tokens.numel()
    assert ours.training == pytest.approx(measured, rel=0.005)


def test_hidden_pairs_cost_half(small):
    """A causal sequence that is charged for its future."""
    full = flops_per_token(small, 1000, hidden_too=True)
    causal = flops_per_token(small, 1000)
    assert causal.attention / full.attention == pytest.approx(0.5, rel=0.01)
    assert causal.matmuls == full.matmuls


def test_a_window_bounds_the_cost_of_a_long_text(small):
    """A window that saves memory in the formula, and no operations."""
    config = replace(small, core=partial(DotProduct, mask=Window(8)))
    short, long = (flops_per_token(config, n).attention for n in (800, 8000))
    assert long == pytest.approx(short, rel=0.01)


@pytest.mark.parametrize(
    ("preset", "active"),
    [(presets.mixtral, 12.9e9), (presets.qwen3_moe, 3.3e9)],
)
def test_only_chosen_experts_work(preset, active):
    """All experts charged to each token. The cards give the active
    parameters, of which the embedding's do not multiply."""
    c = preset()
    used = flops_per_token(c, 1).matmuls / 2 + parameters(c)["embedding"]
    assert used == pytest.approx(active, rel=0.02)


@pytest.mark.parametrize("preset", DENSE)
def test_the_six_n_rule_is_close(preset):
    """A factor of two lost between multiplications and operations."""
    groups = parameters(preset())
    n = sum(groups.values()) - groups["embedding"]
    n += preset().tied * preset().vocab_size * preset().d_model
    step = flops_per_token(preset(), 1).training
    assert step == pytest.approx(6 * n, rel=0.01)


@pytest.mark.parametrize(
    "name", ["rope", "multi-head", "multi-query", "capped, with a window"]
)
def test_the_cache_takes_what_the_formula_says(
    variants, name, build, draw, grow_cache
):
    """Query heads in place of key heads: a cache four times too large."""
    config, cache = variants[name], grow_cache(2)
    cut = replace(config, core=DotProduct)  # this cache never forgets
    with torch.no_grad():
        build(cut).bfloat16()(draw(config, 23, n_rows=1), cache=cache)
    kept = [t for layer in cache.layers for t in layer.kept]
    measured = sum(t.numel() * t.itemsize for t in kept)
    assert kv_cache_bytes(cut, 23) == measured


def test_a_window_needs_no_more_of_the_cache(
    variants, build, draw, grow_cache
):
    """A formula that forgets a key which a query still sees. The cache is
    cut to what the formula keeps, and nothing changes."""
    config = variants["window"]
    model, tokens, cache = build(config), draw(config, 24), grow_cache(2)
    with torch.no_grad():
        whole = model(tokens)[:, -1:]
        model.hidden(tokens[:, :-1], cache=cache)
        for layer in cache.layers:
            layer.kept = [t[:, :, -4:] for t in layer.kept]
        # The position of the last token, which the cut cache cannot tell.
        position = torch.tensor([23])
        x = model.embedding(tokens[:, -1:], position)
        for i, block in enumerate(model.blocks):
            x = block(x, model.rotary(position), cache[i])
        torch.testing.assert_close(model.head(model.norm(x)), whole)
    kept = sum(t.numel() * 4 for layer in cache.layers for t in layer.kept)
    assert kept == 2 * kv_cache_bytes(config, 24, torch.float32)


def test_a_window_in_every_second_layer_saves_almost_half():
    """One window taken for all layers."""
    alternating = kv_cache_bytes(presets.gemma2(), 2**20)
    core = presets.gemma2().core[1]
    everywhere = replace(presets.gemma2(), core=core)
    assert alternating / kv_cache_bytes(everywhere, 2**20) == pytest.approx(
        0.5, abs=0.01
    )


def test_memory_kept_has_no_parameters_in_it(small, build, draw):
    """Weights that autograd points to, counted as if it had copied them."""
    wide = replace(small, d_ff=4000)
    measured = saved_bytes(build(wide), draw(wide, 1, n_rows=1))
    assert measured < 4 * count(build(wide)) / 2
    assert measured == pytest.approx(
        sum(activation_bytes(wide, 1, 1).values()), rel=0.05
    )
