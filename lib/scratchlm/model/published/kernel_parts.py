"""Which parts have a faster twin, and models made of the one or the other."""

from collections.abc import Hashable, Mapping
from dataclasses import fields, replace
from functools import partial
from typing import Any

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.kernels.wide_backward import WideBackward
from scratchlm.model.block.feedforward import (
    MLP,
    GatedMLP,
    SwiGLU,
    gelu_tanh,
)
from scratchlm.model.block.kernels.fused_feedforward import (
    FusedGatedMLP,
    FusedMLP,
    FusedSwiGLU,
    fused_gelu_tanh,
)
from scratchlm.model.block.kernels.fused_rms_norm import FusedRMSNorm
from scratchlm.model.block.norm import RMSNorm, norm_all_heads, norm_each_head
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.experts.experts import MixtureOfExperts, grouped_matmul
from scratchlm.model.experts.kernels.fused_grouped_matmul import (
    fused_grouped_matmul,
)
from scratchlm.model.positions.kernels.fused_rotary import FusedRotary
from scratchlm.model.positions.rotary import Rotary
from scratchlm.model.transformer.head import LinearHead
from scratchlm.model.transformer.kernels.lending_head import LendingHead
from scratchlm.model.transformer.transformer import Part, TransformerConfig

# What a chapter derives, and what gives the same numbers sooner.
KERNELS: dict[Part, Part] = {
    DotProduct: WideBackward,
    Rotary: FusedRotary,
    RMSNorm: FusedRMSNorm,
    MLP: FusedMLP,
    GatedMLP: FusedGatedMLP,
    SwiGLU: FusedSwiGLU,
    LinearHead: LendingHead,
    gelu_tanh: fused_gelu_tanh,
    grouped_matmul: fused_grouped_matmul,
}
DEFINITIONS = {kernel: definition for definition, kernel in KERNELS.items()}
# Parts that make a part of the table themselves, unless they are told.
_MAKERS: dict[Part, Part] = {
    norm_each_head: partial(norm_each_head, norm=FusedRMSNorm),
    norm_all_heads: partial(norm_all_heads, norm=FusedRMSNorm),
    LatentAttention: partial(LatentAttention, norm=FusedRMSNorm),
    MixtureOfExperts: partial(MixtureOfExperts, matmul=fused_grouped_matmul),
}


def with_kernels(config: TransformerConfig) -> TransformerConfig:
    """Return the same model, made of the faster parts where there are any.

    Args:
        config: sizes and parts.
    """
    return _exchange(config, KERNELS | _MAKERS)


def with_definitions(config: TransformerConfig) -> TransformerConfig:
    """Return the same model, made of the parts that the chapters derive.

    Args:
        config: sizes and parts.
    """
    return _exchange(config, DEFINITIONS)


def _exchange(
    config: TransformerConfig, table: Mapping[Any, Part]
) -> TransformerConfig:
    parts = {f.name: getattr(config, f.name) for f in fields(config)}
    found = {name: _exchanged(part, table) for name, part in parts.items()}
    return replace(config, **found)


def _exchanged(part: Any, table: Mapping[Any, Part]) -> Any:
    """Return a part, or what is set in one, as a table has it.

    Args:
        part: a class or a function, a ``functools.partial`` of one, a tuple
            of these, or any setting.
        table: what takes the place of what.
    """
    if type(part) is tuple:
        return tuple(_exchanged(each, table) for each in part)
    if isinstance(part, partial):
        args = (_exchanged(each, table) for each in part.args)
        given = {n: _exchanged(p, table) for n, p in part.keywords.items()}
        return partial(_exchanged(part.func, table), *args, **given)
    return table.get(part, part) if isinstance(part, Hashable) else part
