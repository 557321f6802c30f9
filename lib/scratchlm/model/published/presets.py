"""Published models, and one small enough for a laptop, as configurations.

Each function names the parts that a family is made of; the sizes stand in
:mod:`scratchlm.model.published.sizes`.
"""

from dataclasses import replace
from functools import partial

from scratchlm.model.attention.attention import (
    Attention,
    norm_all_heads,
    norm_each_head,
)
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.block import OutputNorm, SandwichNorm
from scratchlm.model.block.feedforward import MLP, GatedMLP, gelu_tanh
from scratchlm.model.block.norm import LayerNorm, RMSNorm
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.positions.context_extension import Llama3Scaling
from scratchlm.model.positions.rotary import (
    LearnedPositions,
    NoRotation,
    Rotary,
    TokenEmbedding,
)
from scratchlm.model.published import sizes as published
from scratchlm.model.published.sizes import sized
from scratchlm.model.transformer.transformer import (
    SoftcappedHead,
    TransformerConfig,
)

# What Llama and Mistral add to the mean square; ours and the others' 1e-6.
_NORM = partial(RMSNorm, eps=1e-5)
_LLAMA_ROTARY = partial(Rotary, theta=500_000.0)
_QWEN_ROTARY = partial(Rotary, theta=1e6)


def tiny(d_model: int = 256, *, vocab_size: int = 4096) -> TransformerConfig:
    """Return a Llama-style model whose sizes follow from one dial.

    Args:
        d_model: width D, a multiple of 64.
        vocab_size: number of tokens.

    Raises:
        ValueError: ``d_model`` is no positive multiple of 64.
    """
    if d_model < 64 or d_model % 64:
        raise ValueError(
            f"d_model is {d_model}; the dial turns in steps of 64, from 64"
        )
    return TransformerConfig(
        vocab_size=vocab_size,
        d_model=d_model,
        n_layers=max(2, d_model // 64),
        n_heads=d_model // 32,
        n_kv_heads=d_model // 64,
        d_head=32,
        # 8/3 D makes three matrices cost what two of 4 D would.
        d_ff=(8 * d_model // 3 + 31) // 32 * 32,
        max_tokens=1024,
        tied=True,
    )


def gpt2(size: str = "124M") -> TransformerConfig:
    """Return the configuration of GPT-2.

    Args:
        size: ``"124M"``, ``"355M"``, ``"774M"`` or ``"1558M"``.

    Raises:
        ValueError: there is no such size.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", sec. 2.3.
    """
    return replace(
        sized(published.GPT2, size),
        embedding=LearnedPositions,
        rotary=NoRotation,
        attention=partial(Attention, bias=True, out_bias=True),
        feedforward=MLP,
        norm=LayerNorm,
    )


def llama2(size: str = "7B") -> TransformerConfig:
    """Return the configuration of Llama 2.

    Args:
        size: ``"7B"``, ``"13B"`` or ``"70B"``.

    Raises:
        ValueError: there is no such size.

    Source: Touvron et al. 2023, "Llama 2", sec. 2.2.
    """
    return replace(sized(published.LLAMA2, size), norm=_NORM)


def llama3(size: str = "8B") -> TransformerConfig:
    """Return the configuration of Llama 3 as it was pre-trained.

    Args:
        size: ``"8B"``, ``"70B"`` or ``"405B"``.

    Raises:
        ValueError: there is no such size.

    Source: Llama Team 2024, "The Llama 3 Herd of Models", sec. 3.2.
    """
    sizes = sized(published.LLAMA3, size)
    return replace(sizes, rotary=_LLAMA_ROTARY, norm=_NORM)


def llama3_1(size: str = "8B") -> TransformerConfig:
    """Return the configuration of Llama 3.1: Llama 3 for long texts.

    Args:
        size: ``"8B"``, ``"70B"`` or ``"405B"``.

    Raises:
        ValueError: there is no such size.

    Source: model cards meta-llama/Llama-3.1-8B, -70B and -405B.
    """
    return _lengthened(llama3(size), 8.0)


def llama3_2(size: str = "1B") -> TransformerConfig:
    """Return the configuration of the small Llama 3.2 for texts.

    Args:
        size: ``"1B"`` or ``"3B"``.

    Raises:
        ValueError: there is no such size.

    Source: model cards meta-llama/Llama-3.2-1B and -3B.
    """
    base = replace(sized(published.LLAMA3_2, size), norm=_NORM)
    return _lengthened(base, 32.0)


def mistral(size: str = "7B") -> TransformerConfig:
    """Return the configuration of Mistral 7B, version 0.1.

    Args:
        size: ``"7B"``.

    Raises:
        ValueError: there is no such size.

    Source: Jiang et al. 2023, "Mistral 7B", table 1; the longest sequence
    is the model card's.
    """
    core = partial(DotProduct, mask=Window(4096))
    return replace(sized(published.MISTRAL, size), core=core, norm=_NORM)


def mixtral(size: str = "8x7B") -> TransformerConfig:
    """Return the configuration of Mixtral.

    Args:
        size: ``"8x7B"``.

    Raises:
        ValueError: there is no such size.

    Source: Jiang et al. 2024, "Mixtral of Experts", table 1; theta is the
    model card's.
    """
    return replace(
        sized(published.MIXTRAL, size),
        rotary=_QWEN_ROTARY,
        feedforward=partial(MixtureOfExperts, n_experts=8, top_k=2),
        norm=_NORM,
    )


def qwen2(size: str = "0.5B") -> TransformerConfig:
    """Return the configuration of Qwen2.

    Args:
        size: ``"0.5B"``, ``"1.5B"``, ``"7B"`` or ``"72B"``.

    Raises:
        ValueError: there is no such size.

    Source: Qwen Team 2024, "Qwen2 Technical Report", sec. 2.2.
    """
    attention = partial(Attention, bias=True)
    sizes = sized(published.QWEN2, size)
    return replace(sizes, rotary=_QWEN_ROTARY, attention=attention)


def qwen3(size: str = "0.6B") -> TransformerConfig:
    """Return the configuration of Qwen3.

    Args:
        size: ``"0.6B"``, ``"1.7B"``, ``"4B"``, ``"8B"``, ``"14B"`` or
            ``"32B"``.

    Raises:
        ValueError: there is no such size.

    Source: Qwen Team 2025, "Qwen3 Technical Report", sec. 2.
    """
    return _qwen3(sized(published.QWEN3, size))


def qwen3_moe(size: str = "30B-A3B") -> TransformerConfig:
    """Return the configuration of Qwen3 with experts.

    Args:
        size: ``"30B-A3B"`` or ``"235B-A22B"``.

    Raises:
        ValueError: there is no such size.

    Source: Qwen Team 2025, "Qwen3 Technical Report", table 2.
    """
    experts = partial(MixtureOfExperts, n_experts=128, top_k=8)
    config = _qwen3(sized(published.QWEN3_MOE, size))
    return replace(config, feedforward=experts)


def olmo2(size: str = "7B") -> TransformerConfig:
    """Return the configuration of OLMo 2.

    Args:
        size: ``"7B"`` or ``"13B"``.

    Raises:
        ValueError: there is no such size.

    Source: OLMo Team 2024, "2 OLMo 2 Furious", sec. 3.
    """
    return replace(
        sized(published.OLMO2, size),
        rotary=_LLAMA_ROTARY,
        attention=partial(Attention, qk_norm=norm_all_heads),
        block=OutputNorm,
    )


def gemma2(size: str = "2B") -> TransformerConfig:
    """Return the configuration of Gemma 2.

    Layers with a window and layers without take turns.

    Args:
        size: ``"2B"``, ``"9B"`` or ``"27B"``.

    Raises:
        ValueError: there is no such size.

    Source: Gemma Team 2024, "Gemma 2", sec. 2; the scale of the scores is
    that of the released code.
    """
    config = sized(published.GEMMA2, size)
    scale = published.GEMMA2_SCORES[size] ** -0.5
    core = partial(Softcapped, cap=50.0, scale=scale)
    return replace(
        config,
        embedding=partial(TokenEmbedding, scale=config.d_model**0.5),
        core=(partial(core, mask=Window(4096)), core),
        feedforward=partial(GatedMLP, activation=gelu_tanh),
        block=SandwichNorm,
        head=partial(SoftcappedHead, cap=30.0),
    )


def _lengthened(config: TransformerConfig, factor: float) -> TransformerConfig:
    scale = partial(Llama3Scaling, low_factor=1.0, high_factor=4.0)
    rotary = partial(_LLAMA_ROTARY, scaling=scale(factor, original=8192))
    return replace(config, max_tokens=131_072, rotary=rotary)


def _qwen3(config: TransformerConfig) -> TransformerConfig:
    attention = partial(Attention, qk_norm=norm_each_head)
    return replace(config, rotary=_QWEN_ROTARY, attention=attention)
