"""What the small recipes have in common: a shape, and who moves it."""

from functools import partial
from math import inf
from typing import Any

import torch

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.norm import norm_each_head
from scratchlm.model.published.kernel_parts import with_kernels
from scratchlm.model.transformer.transformer import TransformerConfig
from scratchlm.training.optimizers.groups import muon_and_adamw
from scratchlm.training.optimizers.schedules import WarmupStableDecay
from scratchlm.training.pretraining.precision import find_dtype


def small_model(
    vocab_size: int,
    d_model: int,
    n_layers: int,
    *,
    n_tokens: int,
    d_head: int = 64,
) -> TransformerConfig:
    """Return the shape of Qwen3, small: its parts bear high rates.

    Args:
        vocab_size: number of tokens V.
        d_model: width D, a multiple of ``d_head``.
        n_layers: blocks L.
        n_tokens: the longest row; the model bears twice as many.
        d_head: width H of a head.

    Raises:
        ValueError: a size is out of range.

    Source: Qwen Team 2025, "Qwen3 Technical Report", section 2.
    """
    n_heads = d_model // d_head
    if d_model < 1 or d_model % d_head:
        raise ValueError(
            f"d_model is {d_model}; give a positive multiple of {d_head}, "
            "the width of a head"
        )
    return with_kernels(
        TransformerConfig(
            vocab_size=vocab_size,
            d_model=d_model,
            n_layers=n_layers,
            n_heads=n_heads,
            n_kv_heads=n_heads if n_heads % 2 else n_heads // 2,
            d_head=d_head,
            d_ff=11 * d_model // 4,
            max_tokens=2 * n_tokens,
            tied=True,
            attention=partial(Attention, qk_norm=norm_each_head),
        )
    )


def small_optimizer(
    lr: float, dtype: str, *, table_lr: float | None = None
) -> partial[Any]:
    """Return what makes Muon and AdamW for a model.

    Args:
        lr: peak learning rate of the matrices.
        dtype: of the model's matrix products.
        table_lr: of tables and vectors; a part of ``lr`` if None.

    Raises:
        ValueError: the rate is not a finite number above 0, or there is no
            such type.
    """
    tables = 0.15 * lr if table_lr is None else table_lr
    check_rate(lr)
    check_rate(tables)
    return partial(
        muon_and_adamw,
        lr=lr,
        table_lr=tables,
        vector_lr=tables,
        dtype=iteration_dtype(dtype),
    )


def iteration_dtype(dtype: str) -> torch.dtype:
    """Return what Muon computes in: the model's type where it has the range.

    Args:
        dtype: of the model's matrix products.

    Raises:
        ValueError: there is no such type.
    """
    found = find_dtype(dtype)
    return torch.float32 if found == torch.float16 else found


def small_schedule(n_steps: int) -> WarmupStableDecay:
    """Return a plateau for half of a run, and a line down to zero.

    Args:
        n_steps: of the run.

    Raises:
        ValueError: there is no room for the way down.
    """
    return WarmupStableDecay(
        warmup=max(0, n_steps // 50),
        n_steps=n_steps,
        decay=max(1, n_steps // 2),
    )


def check_rate(lr: float) -> None:
    """Refuse a rate with which nothing can be trained.

    Args:
        lr: a peak learning rate.

    Raises:
        ValueError: it is not a finite number above 0.
    """
    if not 0 < lr < inf:
        raise ValueError(
            f"a learning rate is {lr}; give a finite number above 0"
        )
