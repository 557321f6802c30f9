from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import CAUSAL, Everything, Window
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.norm import LayerNorm
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.published.part_costs import (
    Cost,
    cost,
    keys_kept,
    keys_seen,
    read,
)
from scratchlm.model.transformer.head import LinearHead

EXPERTS = partial(MixtureOfExperts, n_experts=5, top_k=2)


def test_nested_partials_are_read():
    """A formula that sees the inner keywords and not the outer ones."""
    inner = partial(Attention, bias=True)
    assert read(partial(inner, out_bias=True)) == (
        Attention,
        {"bias": True, "out_bias": True},
    )
    assert read(MLP) == (MLP, {})


@pytest.mark.parametrize(
    "part",
    [
        *(MLP, partial(MLP, bias=False), SwiGLU, LayerNorm),
        partial(SwiGLU, bias=True),
        *(partial(LayerNorm, bias=False), nn.Linear, LinearHead),
        *(EXPERTS, partial(EXPERTS, d_expert=20)),
        partial(EXPERTS, shared=partial(MLP, d_ff=24)),
    ],
)
def test_a_formula_counts_the_part(small, part):
    """A default of the class that the formula does not share."""
    vocabulary = (small.vocab_size,)
    second = {LayerNorm: (), nn.Linear: vocabulary, LinearHead: vocabulary}
    sizes = second.get(read(part)[0], (small.d_ff,))
    built = part(small.d_model, *sizes)
    weights = sum(p.numel() for p in built.parameters())
    assert cost(part, small).weights == weights


def test_experts_that_were_not_chosen_wait(small):
    """All experts charged to each token, or the shared one to none."""
    expert = 3 * small.d_model * small.d_ff
    alone = cost(EXPERTS, small)
    assert (alone.multiplied, alone.waiting) == (
        2 * expert + 5 * small.d_model,
        3 * expert,
    )
    shared = partial(SwiGLU, d_ff=small.d_ff)
    together = cost(partial(EXPERTS, shared=shared), small)
    assert together.multiplied == alone.multiplied + expert
    assert together.waiting == alone.waiting


@pytest.mark.parametrize("narrow", [None, 12])
@pytest.mark.parametrize("norm", [LayerNorm, None])
def test_latents_are_counted(small, narrow, norm):
    """Two paths for the queries, one of which nobody counted."""
    part = partial(
        LatentAttention, d_latent=16, d_rotary=4, d_query_latent=narrow
    )
    part = partial(part, norm=norm) if norm else part
    config = replace(small, n_kv_heads=4)
    built = part(32, 4, 4, 8, core=DotProduct(4))
    weights = sum(p.numel() for p in built.parameters())
    counted = cost(part, config)
    assert counted.weights == weights
    assert counted.cached == 16 + 4


def test_a_part_without_a_formula_is_named(small):
    """A part of the reader's own, counted as nothing."""

    class Mine(nn.Module):
        pass

    with pytest.raises(ValueError, match=r"no formula for Mine; .*count"):
        cost(Mine, small)


@pytest.mark.parametrize("mask", [CAUSAL, Everything(), Window(1), Window(5)])
@pytest.mark.parametrize("n_tokens", [1, 4, 5, 6, 23])
def test_pairs_are_those_of_the_mask(mask, n_tokens):
    """T squared over two, which leaves out the diagonal."""
    visible = mask.visible(n_tokens, n_tokens, torch.device("cpu"))
    core = partial(DotProduct, mask=mask)
    assert keys_seen(core, n_tokens) == visible.sum() / n_tokens
    assert keys_kept(core, n_tokens) == visible[-1].sum()


def test_a_mask_without_a_formula_is_named():
    """A mask of the reader's own, counted as causal."""

    class Dotted:
        pass

    with pytest.raises(ValueError, match="no formula for Dotted"):
        keys_seen(partial(DotProduct, mask=Dotted()), 4)


def test_weights_are_of_three_kinds():
    """A field that is left out of the sum."""
    assert Cost(1, 2, 4, pair=8, cached=16).weights == 7
