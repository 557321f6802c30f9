"""Attention in little memory, and with a small cache."""

from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.efficient_attention.live_memory import (
    LiveMemory,
    peak_bytes,
)
from scratchlm.model.efficient_attention.tiled_attention import (
    Tiled,
    tiled_attention,
)

__all__ = [
    "LatentAttention",
    "LiveMemory",
    "Tiled",
    "peak_bytes",
    "tiled_attention",
]
