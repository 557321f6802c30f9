"""Mixtures as a part of a model, and against those of transformers."""

import dataclasses
from functools import partial

import pytest
import torch

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.block.norm import RMSNorm, norm_each_head
from scratchlm.model.experts.dispatch import Capacity
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.experts.routing import BiasedRouter, SoftmaxRouter
from scratchlm.model.positions.rotary import Rotary
from scratchlm.model.published.presets import tiny
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

E, K = 4, 2


def moe_config(**parts):
    feedforward = partial(
        MixtureOfExperts, n_experts=E, top_k=K, d_expert=32, **parts
    )
    return TransformerConfig(
        vocab_size=50,
        d_model=32,
        n_layers=2,
        n_heads=4,
        n_kv_heads=2,
        d_head=8,
        d_ff=64,
        max_tokens=64,
        feedforward=feedforward,
    )


@pytest.mark.parametrize(
    ("parts", "causal"),
    [
        ({}, True),
        ({"router": BiasedRouter}, True),
        ({"dispatch": Capacity(0.5)}, True),
        ({"dispatch": Capacity(0.5, by_choice=True)}, False),
    ],
)
def test_causality_of_each_dispatch(parts, causal):
    """A later token that takes an earlier one's place: the loss of a text
    then sees its future, and sampling gives worse text than the loss says."""
    torch.manual_seed(1)
    model = Transformer(moe_config(**parts))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    leaks = []
    for seed in range(8):
        torch.manual_seed(seed)
        tokens = torch.randint(50, (1, 24))
        other = tokens.clone()
        other[0, 16:] = torch.randint(50, (8,))
        change = model(tokens) - model(other)
        leaks.append(change[:, :16].abs().max() > 1e-4)
        assert change[:, 16:].abs().max() > 1e-4
    assert not any(leaks) if causal else any(leaks)


def test_cached_equals_uncached(grow_cache):
    """A batch of one token is routed like a batch of many."""
    torch.manual_seed(0)
    model = Transformer(moe_config()).eval()
    tokens, cache = torch.randint(50, (2, 9)), grow_cache(2)
    steps = [model(tokens[:, t : t + 1], cache=cache) for t in range(9)]
    torch.testing.assert_close(torch.cat(steps, 1), model(tokens))


class Checkpoint:
    """Weights of transformers' layers under the names of ours, by hand."""

    def __init__(self, source):
        self.source = source.state_dict()

    def of(self, theirs):
        return self.source[theirs]

    def attention(self, i):
        prefix = f"model.layers.{i}.self_attn"
        names = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
        names |= {"output": "o_proj", "q_norm": "q_norm", "k_norm": "k_norm"}
        return {
            f"attention.{ours}.weight": self.of(f"{prefix}.{name}.weight")
            for ours, name in names.items()
            if f"{prefix}.{name}.weight" in self.source
        }

    def mixture(self, i):
        prefix = f"model.layers.{i}.mlp"
        both = self.of(f"{prefix}.experts.gate_up_proj")
        gate, up = both.chunk(2, 1)
        return {
            "feedforward.router.weight": self.of(f"{prefix}.gate.weight"),
            "feedforward.gate": gate,
            "feedforward.up": up,
            "feedforward.down": self.of(f"{prefix}.experts.down_proj"),
        }

    def ours(self, n_layers):
        weights = {
            "embedding.tokens.weight": self.of("model.embed_tokens.weight"),
            "norm.weight": self.of("model.norm.weight"),
            "head.weight": self.of("lm_head.weight"),
        }
        for i in range(n_layers):
            prefix = f"model.layers.{i}"
            layer = self.attention(i) | self.mixture(i)
            for ours, theirs in [
                ("attention_norm", "input_layernorm"),
                ("feedforward_norm", "post_attention_layernorm"),
            ]:
                name = f"{prefix}.{theirs}.weight"
                layer[f"{ours}.weight"] = self.of(name)
            weights |= {f"blocks.{i}.{k}": v for k, v in layer.items()}
        return weights


SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_experts_per_tok": K,
    "rms_norm_eps": 1e-5,
    "head_dim": 8,
}


def mixtral():
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        **SIZES, intermediate_size=32, num_local_experts=E, sliding_window=None
    )
    return MixtralForCausalLM(config), {}, None


def qwen3_moe(norm_topk_prob):
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        **SIZES,
        intermediate_size=64,
        moe_intermediate_size=32,
        num_experts=E,
        norm_topk_prob=norm_topk_prob,
    )
    router = partial(SoftmaxRouter, normalize=norm_topk_prob)
    qk_norm = partial(norm_each_head, eps=1e-5)
    return Qwen3MoeForCausalLM(config), {"router": router}, qk_norm


@pytest.mark.parametrize(
    "family",
    [mixtral, partial(qwen3_moe, True), partial(qwen3_moe, False)],
    ids=["mixtral", "qwen3-moe", "qwen3-moe, not normalised"],
)
def test_logits_equal_those_of_transformers(family):
    """Weights that are normalised twice, gate and up exchanged, experts in
    another order: each gives text that is almost right."""
    torch.manual_seed(0)
    reference, parts, qk_norm = family()
    with torch.no_grad():
        for p in reference.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    theta = reference.config.rope_parameters["rope_theta"]
    config = dataclasses.replace(
        moe_config(**parts),
        attention=partial(Attention, qk_norm=qk_norm),
        norm=partial(RMSNorm, eps=1e-5),
        rotary=partial(Rotary, theta=theta),
    )
    ours = Transformer(config)
    ours.load_state_dict(Checkpoint(reference).ours(2))
    tokens = torch.randint(50, (2, 12))
    theirs = reference.eval()(tokens).logits
    torch.testing.assert_close(ours(tokens), theirs, atol=1e-4, rtol=1e-4)


def test_a_dense_preset_takes_experts_in_one_line():
    """A layer that needs more than a config gives to its feed-forward."""
    config = dataclasses.replace(
        tiny(64, vocab_size=50),
        feedforward=(
            SwiGLU,
            partial(MixtureOfExperts, n_experts=8, top_k=2, d_expert=64),
        ),
    )
    model = Transformer(config)
    kinds = [type(block.feedforward) for block in model.blocks]
    assert kinds == [SwiGLU, MixtureOfExperts]
    assert model(torch.randint(50, (1, 4))).shape == (1, 4, 50)
