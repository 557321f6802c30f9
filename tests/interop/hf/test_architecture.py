from dataclasses import replace
from functools import partial

import pytest
from torch import nn

from scratchlm.interop import hf
from scratchlm.interop.files import Problems
from scratchlm.interop.hf.architecture import (
    describe,
    differences,
    find_family,
    read_config,
)
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.block.norm import LayerNorm
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.positions.rotary import NoRotation, Rotary
from scratchlm.model.published import presets
from scratchlm.model.transformer.transformer import Transformer

PRESETS = {
    presets.gpt2: "GPT2LMHeadModel",
    presets.llama2: "LlamaForCausalLM",
    presets.llama3: "LlamaForCausalLM",
    presets.mistral: "MistralForCausalLM",
    presets.qwen2: "Qwen2ForCausalLM",
    presets.qwen3: "Qwen3ForCausalLM",
    presets.olmo2: "Olmo2ForCausalLM",
    presets.gemma2: "Gemma2ForCausalLM",
    presets.tiny: "LlamaForCausalLM",
    presets.llama3_1: "LlamaForCausalLM",
    presets.mixtral: "MixtralForCausalLM",
    presets.qwen3_moe: "Qwen3MoeForCausalLM",
}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.__name__)
def test_presets_are_what_they_are_called(preset):
    """A preset that no checkpoint of its name fits."""
    config = preset()
    family, settings = describe(config)
    assert family.architecture == PRESETS[preset]
    again = read_config(family, settings, Problems())
    assert differences(config, again) == []


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("core", ALiBi),
        ("norm", LayerNorm),
        ("rotary", NoRotation),
        ("d_rotary", 4),
        ("head", nn.Linear),
        (
            "feedforward",
            partial(MixtureOfExperts, n_experts=4, top_k=2, d_expert=8),
        ),
    ],
)
def test_a_model_that_nobody_publishes_is_told_its_part(small, part, value):
    """A model saved as a Llama that is none, and found out years later."""
    config = replace(small.config, **{part: value})
    with pytest.raises(ValueError, match=f"nearest .* in .*{part}"):
        describe(config)


def test_heads_that_share_no_width_are_no_llama(small, theirs, tmp_path):
    """A folder that was saved without a word, and that transformers refuses
    to load: it wants a width that the heads divide, though they do not
    share it, in Llama and in Gemma-2."""
    sizes = {"d_model": 96, "n_heads": 5, "n_kv_heads": 5, "d_head": 32}
    config = replace(small.config, rotary=Rotary, **sizes)
    with pytest.raises(ValueError, match=r"Llama.* 96, which 5 heads cannot"):
        describe(config, "LlamaForCausalLM")
    assert describe(config)[0].architecture == "MistralForCausalLM"
    hf.save(Transformer(config), None, tmp_path)
    assert theirs(tmp_path).config.num_attention_heads == 5
    gemma = replace(presets.gemma2(), n_heads=5, n_kv_heads=5)
    with pytest.raises(ValueError, match="not described by any"):
        describe(gemma)


def test_one_architecture_can_be_asked_for(small):
    """An answer for another than the one that was asked for."""
    assert describe(small.config, "MistralForCausalLM")
    with pytest.raises(ValueError, match="not described by GPT2LMHeadModel"):
        describe(small.config, "GPT2LMHeadModel")
    with pytest.raises(ValueError, match="not described by Bert"):
        describe(small.config, "Bert")


@pytest.mark.parametrize(
    "settings",
    [{}, {"architectures": ["LlamaModel"]}, {"model_type": "bert"}],
)
def test_unknown_architectures_are_told_with_the_known(settings):
    """A guess from a model_type that several classes share."""
    settings = {"architectures": ["X"]} | settings
    with pytest.raises(ValueError, match=r"known here .* Gemma2ForCausalLM"):
        find_family(settings)


def test_the_type_decides_where_no_class_is_named():
    """GPT-2's first files name none."""
    assert find_family({"model_type": "gpt2"}).model_type == "gpt2"


def test_problems_leave_no_config():
    """A config of placeholders."""
    problems = Problems()
    family = find_family({"model_type": "llama"})
    assert read_config(family, {"vocab_size": 3}, problems) is None
    assert len(problems.found) == 5


def test_differences_are_those_that_change_a_logit(small):
    """A model refused for the way its weights were once drawn, or for a
    default that is spelled out; one accepted although a layer differs."""
    config = small.config
    core = partial(DotProduct, scale=config.d_head**-0.5)
    same = replace(
        config,
        init=lambda model, n_layers: None,
        d_rotary=config.d_head,
        core=(core, DotProduct),
        head=partial(nn.Linear, bias=False),
    )
    assert differences(config, same) == []
    other = replace(
        config,
        d_rotary=4,
        core=(core, partial(Softcapped, cap=9.0)),
        tied=True,
    )
    assert differences(config, other) == ["tied", "core", "d_rotary"]
