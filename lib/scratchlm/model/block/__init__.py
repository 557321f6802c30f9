"""Norms, feed-forward layers and the residual stream around them."""

from scratchlm.model.block.block import (
    OutputNorm,
    PostNorm,
    PreNorm,
    SandwichNorm,
)
from scratchlm.model.block.feedforward import (
    MLP,
    Activation,
    GatedMLP,
    SwiGLU,
    gelu_tanh,
)
from scratchlm.model.block.initialization import initialize
from scratchlm.model.block.kernels.fused_feedforward import (
    FusedGatedMLP,
    FusedMLP,
    FusedSwiGLU,
    fused_gelu_tanh,
    silu_gate,
)
from scratchlm.model.block.kernels.fused_rms_norm import (
    FusedRMSNorm,
    fused_rms_norm,
)
from scratchlm.model.block.norm import (
    LayerNorm,
    RMSNorm,
    norm_all_heads,
    norm_each_head,
)

__all__ = [
    "MLP",
    "Activation",
    "FusedGatedMLP",
    "FusedMLP",
    "FusedRMSNorm",
    "FusedSwiGLU",
    "GatedMLP",
    "LayerNorm",
    "OutputNorm",
    "PostNorm",
    "PreNorm",
    "RMSNorm",
    "SandwichNorm",
    "SwiGLU",
    "fused_gelu_tanh",
    "fused_rms_norm",
    "gelu_tanh",
    "initialize",
    "norm_all_heads",
    "norm_each_head",
    "silu_gate",
]
