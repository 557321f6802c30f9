from dataclasses import fields, replace
from functools import partial

import pytest
import torch

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.block.kernels.fused_feedforward import FusedSwiGLU
from scratchlm.model.block.kernels.fused_rms_norm import FusedRMSNorm
from scratchlm.model.block.norm import RMSNorm, norm_each_head
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.experts.kernels.fused_grouped_matmul import (
    fused_grouped_matmul,
)
from scratchlm.model.published import presets
from scratchlm.model.published.kernel_parts import (
    DEFINITIONS,
    KERNELS,
    with_definitions,
    with_kernels,
)
from scratchlm.model.transformer.transformer import Transformer


def spelled(part):
    """A part in which each partial is spelled out, so that equals compare."""
    if isinstance(part, tuple):
        return tuple(map(spelled, part))
    if isinstance(part, partial):
        given = {name: spelled(each) for name, each in part.keywords.items()}
        return part.func, part.args, given
    return part


def unlike(one, other):
    """The fields in which two configurations differ."""
    names = [field.name for field in fields(one)]
    return [
        name
        for name in names
        if spelled(getattr(one, name)) != spelled(getattr(other, name))
    ]


def test_each_variant_computes_the_same_with_kernels(variant, build, draw):
    """A kernel of another part, or one that lost a setting of its part."""
    tokens, found = draw(variant, 9), []
    for form in (with_definitions, with_kernels):
        model = build(form(variant)).double()
        logits = model(tokens)
        logits.square().mean().backward()
        found.append([logits, *(p.grad for p in model.parameters())])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


def test_checkpoints_fit_both(variant, build):
    """Names that tell a kernel from its definition: a model trained with
    one could not be read with the other."""
    names = (
        list(build(form(variant)).state_dict())
        for form in (with_definitions, with_kernels)
    )
    assert next(names) == next(names)


def test_parts_within_parts_are_exchanged(small):
    """A norm of queries that stays slow since attention makes it."""
    shared = partial(SwiGLU, d_ff=8)
    config = replace(
        small,
        attention=partial(Attention, qk_norm=norm_each_head),
        core=(partial(DotProduct, mask=Window(5)), DotProduct),
        feedforward=partial(
            MixtureOfExperts, n_experts=4, top_k=2, shared=shared
        ),
    )
    made = Transformer(with_kernels(config)).blocks[0]
    assert type(made.attention.q_norm) is FusedRMSNorm
    assert made.attention.core.mask == Window(5)
    assert type(made.feedforward.shared) is FusedSwiGLU
    assert made.feedforward.matmul is fused_grouped_matmul
    made = Transformer(with_definitions(with_kernels(config))).blocks[0]
    assert type(made.attention.q_norm) is RMSNorm
    assert type(made.feedforward.shared) is SwiGLU


def test_the_way_back_leads_home(small):
    """Two definitions of one kernel, or a setting that is lost."""
    assert len(DEFINITIONS) == len(KERNELS)
    config = replace(small, norm=partial(RMSNorm, eps=1e-5))
    assert unlike(with_definitions(with_kernels(config)), config) == []
    once = with_kernels(config)
    assert unlike(with_kernels(once), once) == []


@pytest.mark.parametrize(
    "preset", [presets.tiny, presets.gpt2, presets.gemma2, presets.qwen3_moe]
)
def test_presets_have_the_kernels(preset):
    """A published model that runs at the speed of a derivation."""
    assert unlike(preset(), with_kernels(preset())) == []
    assert unlike(preset(), with_definitions(preset()))
