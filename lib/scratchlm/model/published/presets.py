"""Published models, and one small enough for a laptop, as configurations.

Sizes stand in one table for each family, and a function for each family
names its parts.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.block import OutputNorm, SandwichNorm
from scratchlm.model.block.feedforward import MLP, GatedMLP, gelu_tanh
from scratchlm.model.block.norm import (
    LayerNorm,
    RMSNorm,
    norm_all_heads,
    norm_each_head,
)
from scratchlm.model.embeddings.embedding import (
    LearnedPositions,
    TokenEmbedding,
)
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.positions.context_extension import Llama3Scaling
from scratchlm.model.positions.rotary import NoRotation, Rotary
from scratchlm.model.published.kernel_parts import with_kernels
from scratchlm.model.transformer.head import SoftcappedHead
from scratchlm.model.transformer.transformer import TransformerConfig


class Sizes(NamedTuple):
    """What differs within a family.

    Args:
        vocab_size: number of tokens V.
        d_model: width D of the residual stream.
        n_layers: number of blocks L.
        n_heads: number of query heads N.
        n_kv_heads: number of key and value heads K.
        d_head: width H of a head.
        d_ff: width F inside the feed-forward layer, or inside one expert.
        max_tokens: length of the longest sequence it was made for.
        tied: whether the head uses the token embedding's weights.
    """

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_ff: int
    max_tokens: int
    tied: bool = False


# Radford et al. 2019, "Language Models are Unsupervised Multitask
# Learners", table 2, and its released code. The names count anew what the
# paper counted wrong: its smallest model is called 117M there.
GPT2 = {
    "124M": Sizes(50_257, 768, 12, 12, 12, 64, 3072, 1024, True),
    "355M": Sizes(50_257, 1024, 24, 16, 16, 64, 4096, 1024, True),
    "774M": Sizes(50_257, 1280, 36, 20, 20, 64, 5120, 1024, True),
    "1558M": Sizes(50_257, 1600, 48, 25, 25, 64, 6400, 1024, True),
}

# Touvron et al. 2023, "Llama 2", table 1 and model cards.
LLAMA2 = {
    "7B": Sizes(32_000, 4096, 32, 32, 32, 128, 11_008, 4096),
    "13B": Sizes(32_000, 5120, 40, 40, 40, 128, 13_824, 4096),
    "70B": Sizes(32_000, 8192, 80, 64, 8, 128, 28_672, 4096),
}

# Llama Team 2024, "The Llama 3 Herd of Models", table 3.
LLAMA3 = {
    "8B": Sizes(128_256, 4096, 32, 32, 8, 128, 14_336, 8192),
    "70B": Sizes(128_256, 8192, 80, 64, 8, 128, 28_672, 8192),
    "405B": Sizes(128_256, 16_384, 126, 128, 8, 128, 53_248, 8192),
}

# Model cards meta-llama/Llama-3.2-1B and -3B.
LLAMA3_2 = {
    "1B": Sizes(128_256, 2048, 16, 32, 8, 64, 8192, 131_072, True),
    "3B": Sizes(128_256, 3072, 28, 24, 8, 128, 8192, 131_072, True),
}

# Jiang et al. 2023, "Mistral 7B", table 1.
MISTRAL = {"7B": Sizes(32_000, 4096, 32, 32, 8, 128, 14_336, 32_768)}

# Jiang et al. 2024, "Mixtral of Experts", table 1.
MIXTRAL = {"8x7B": Sizes(32_000, 4096, 32, 32, 8, 128, 14_336, 32_768)}

# Qwen Team 2024, "Qwen2 Technical Report", table 1; the vocabulary is
# padded to a multiple that differs between the sizes (model cards).
QWEN2 = {
    "0.5B": Sizes(151_936, 896, 24, 14, 2, 64, 4864, 32_768, True),
    "1.5B": Sizes(151_936, 1536, 28, 12, 2, 128, 8960, 32_768, True),
    "7B": Sizes(152_064, 3584, 28, 28, 4, 128, 18_944, 32_768),
    "72B": Sizes(152_064, 8192, 80, 64, 8, 128, 29_568, 32_768),
}

# Qwen Team 2025, "Qwen3 Technical Report", table 1 and model cards.
QWEN3 = {
    "0.6B": Sizes(151_936, 1024, 28, 16, 8, 128, 3072, 40_960, True),
    "1.7B": Sizes(151_936, 2048, 28, 16, 8, 128, 6144, 40_960, True),
    "4B": Sizes(151_936, 2560, 36, 32, 8, 128, 9728, 40_960, True),
    "8B": Sizes(151_936, 4096, 36, 32, 8, 128, 12_288, 40_960),
    "14B": Sizes(151_936, 5120, 40, 40, 8, 128, 17_408, 40_960),
    "32B": Sizes(151_936, 5120, 64, 64, 8, 128, 25_600, 40_960),
}

# The same report, table 2.
QWEN3_MOE = {
    "30B-A3B": Sizes(151_936, 2048, 48, 32, 4, 128, 768, 40_960),
    "235B-A22B": Sizes(151_936, 4096, 94, 64, 4, 128, 1536, 40_960),
}

# OLMo Team 2024, "2 OLMo 2 Furious", table 3 and model cards.
OLMO2 = {
    "7B": Sizes(100_352, 4096, 32, 32, 32, 128, 11_008, 4096),
    "13B": Sizes(100_352, 5120, 40, 40, 40, 128, 13_824, 4096),
}

# Gemma Team 2024, "Gemma 2", table 1; the paper's d_ff counts both gate
# and up, ours one of them.
GEMMA2 = {
    "2B": Sizes(256_000, 2304, 26, 8, 4, 256, 9216, 8192, True),
    "9B": Sizes(256_000, 3584, 42, 16, 8, 256, 14_336, 8192, True),
    "27B": Sizes(256_000, 4608, 46, 32, 16, 128, 36_864, 8192, True),
}


# What the scores of Gemma 2 are divided by is the root of this; the code
# that was released with the paper has another width for the largest model.
GEMMA2_SCORES = {"2B": 256, "9B": 256, "27B": 4608 // 32}

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
    return with_kernels(
        TransformerConfig(
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
    return with_kernels(
        replace(
            sized(GPT2, size),
            embedding=LearnedPositions,
            rotary=NoRotation,
            attention=partial(Attention, bias=True, out_bias=True),
            feedforward=MLP,
            norm=LayerNorm,
        )
    )


def llama2(size: str = "7B") -> TransformerConfig:
    """Return the configuration of Llama 2.

    Args:
        size: ``"7B"``, ``"13B"`` or ``"70B"``.

    Raises:
        ValueError: there is no such size.

    Source: Touvron et al. 2023, "Llama 2", sec. 2.2.
    """
    return with_kernels(replace(sized(LLAMA2, size), norm=_NORM))


def llama3(size: str = "8B") -> TransformerConfig:
    """Return the configuration of Llama 3 as it was pre-trained.

    Args:
        size: ``"8B"``, ``"70B"`` or ``"405B"``.

    Raises:
        ValueError: there is no such size.

    Source: Llama Team 2024, "The Llama 3 Herd of Models", sec. 3.2.
    """
    sizes = sized(LLAMA3, size)
    return with_kernels(replace(sizes, rotary=_LLAMA_ROTARY, norm=_NORM))


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
    base = replace(sized(LLAMA3_2, size), norm=_NORM)
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
    return with_kernels(replace(sized(MISTRAL, size), core=core, norm=_NORM))


def mixtral(size: str = "8x7B") -> TransformerConfig:
    """Return the configuration of Mixtral.

    Args:
        size: ``"8x7B"``.

    Raises:
        ValueError: there is no such size.

    Source: Jiang et al. 2024, "Mixtral of Experts", table 1; theta is the
    model card's.
    """
    return with_kernels(
        replace(
            sized(MIXTRAL, size),
            rotary=_QWEN_ROTARY,
            feedforward=partial(MixtureOfExperts, n_experts=8, top_k=2),
            norm=_NORM,
        )
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
    sizes = sized(QWEN2, size)
    return with_kernels(
        replace(sizes, rotary=_QWEN_ROTARY, attention=attention)
    )


def qwen3(size: str = "0.6B") -> TransformerConfig:
    """Return the configuration of Qwen3.

    Args:
        size: ``"0.6B"``, ``"1.7B"``, ``"4B"``, ``"8B"``, ``"14B"`` or
            ``"32B"``.

    Raises:
        ValueError: there is no such size.

    Source: Qwen Team 2025, "Qwen3 Technical Report", sec. 2.
    """
    return _qwen3(sized(QWEN3, size))


def qwen3_moe(size: str = "30B-A3B") -> TransformerConfig:
    """Return the configuration of Qwen3 with experts.

    Args:
        size: ``"30B-A3B"`` or ``"235B-A22B"``.

    Raises:
        ValueError: there is no such size.

    Source: Qwen Team 2025, "Qwen3 Technical Report", table 2.
    """
    experts = partial(MixtureOfExperts, n_experts=128, top_k=8)
    config = _qwen3(sized(QWEN3_MOE, size))
    return with_kernels(replace(config, feedforward=experts))


def olmo2(size: str = "7B") -> TransformerConfig:
    """Return the configuration of OLMo 2.

    Args:
        size: ``"7B"`` or ``"13B"``.

    Raises:
        ValueError: there is no such size.

    Source: OLMo Team 2024, "2 OLMo 2 Furious", sec. 3.
    """
    return with_kernels(
        replace(
            sized(OLMO2, size),
            rotary=_LLAMA_ROTARY,
            attention=partial(Attention, qk_norm=norm_all_heads),
            block=OutputNorm,
        )
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
    config = sized(GEMMA2, size)
    scale = GEMMA2_SCORES[size] ** -0.5
    core = partial(Softcapped, cap=50.0, scale=scale)
    return with_kernels(
        replace(
            config,
            embedding=partial(TokenEmbedding, scale=config.d_model**0.5),
            core=(partial(core, mask=Window(4096)), core),
            feedforward=partial(GatedMLP, activation=gelu_tanh),
            block=SandwichNorm,
            head=partial(SoftcappedHead, cap=30.0),
        )
    )


def _lengthened(config: TransformerConfig, factor: float) -> TransformerConfig:
    scale = partial(Llama3Scaling, low_factor=1.0, high_factor=4.0)
    rotary = partial(_LLAMA_ROTARY, scaling=scale(factor, original=8192))
    return with_kernels(replace(config, max_tokens=131_072, rotary=rotary))


def _qwen3(config: TransformerConfig) -> TransformerConfig:
    attention = partial(Attention, qk_norm=norm_each_head)
    return with_kernels(
        replace(config, rotary=_QWEN_ROTARY, attention=attention)
    )


def sized(table: Mapping[str, Sizes], size: str) -> TransformerConfig:
    """Return a configuration with the sizes of one row of a table.

    Args:
        table: of a family.
        size: the name of a row.

    Raises:
        ValueError: there is no such row.
    """
    if size not in table:
        raise ValueError(
            f"this family has no size {size!r}; use one of {', '.join(table)}"
        )
    return TransformerConfig(**table[size]._asdict())
