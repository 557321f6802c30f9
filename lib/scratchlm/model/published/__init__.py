"""Models that people publish: their sizes, parts and costs."""

from scratchlm.model.published.accounting import (
    Operations,
    activation_bytes,
    count,
    flops_per_token,
    kv_cache_bytes,
    parameters,
    saved_bytes,
)
from scratchlm.model.published.kernel_parts import (
    with_definitions,
    with_kernels,
)
from scratchlm.model.published.presets import (
    gemma2,
    gpt2,
    llama2,
    llama3,
    llama3_1,
    llama3_2,
    mistral,
    mixtral,
    olmo2,
    qwen2,
    qwen3,
    qwen3_moe,
    tiny,
)

__all__ = [
    "Operations",
    "activation_bytes",
    "count",
    "flops_per_token",
    "gemma2",
    "gpt2",
    "kv_cache_bytes",
    "llama2",
    "llama3",
    "llama3_1",
    "llama3_2",
    "mistral",
    "mixtral",
    "olmo2",
    "parameters",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "saved_bytes",
    "tiny",
    "with_definitions",
    "with_kernels",
]
