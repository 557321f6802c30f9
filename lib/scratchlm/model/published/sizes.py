"""Sizes of published models, in one table for each family."""

from collections.abc import Mapping
from typing import NamedTuple

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
