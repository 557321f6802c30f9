"""Published models, and one small enough for a laptop, as configurations.

Chapter: book/model/transformer.md.
"""

from functools import partial
from typing import Any

from scratchlm.model.attention import Attention
from scratchlm.model.feedforward import MLP
from scratchlm.model.norm import LayerNorm, RMSNorm
from scratchlm.model.position import LearnedPositions, NoRotation, Rotary
from scratchlm.model.transformer import TransformerConfig

_GPT2 = {
    "124M": (768, 12, 12),
    "355M": (1024, 24, 16),
    "774M": (1280, 36, 20),
    "1558M": (1600, 48, 25),
}


def _sizes(table: dict[str, Any], size: str, family: str) -> Any:
    if size not in table:
        raise ValueError(
            f"{family} has no size {size!r}; its sizes are {', '.join(table)}"
        )
    return table[size]


def gpt2(size: str = "124M") -> TransformerConfig:
    """Return the configuration of GPT-2. Chapter: book/model/transformer.md.

    Args:
        size: ``"124M"``, ``"355M"``, ``"774M"`` or ``"1558M"``.

    Raises:
        ValueError: there is no such size.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", table 2; parameters counted anew.
    """
    d_model, n_layers, n_heads = _sizes(_GPT2, size, "GPT-2")
    return TransformerConfig(
        vocab_size=50_257,
        d_model=d_model,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        d_head=d_model // n_heads,
        d_ff=4 * d_model,
        max_tokens=1024,
        tied=True,
        embedding=LearnedPositions,
        rotary=NoRotation,
        attention=partial(Attention, bias=True, out_bias=True),
        feedforward=MLP,
        norm=LayerNorm,
    )


def tiny(d_model: int = 256, *, vocab_size: int = 4096) -> TransformerConfig:
    """Return a Llama-style model whose sizes follow from one dial.

    Chapter: book/model/transformer.md.

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
        rotary=Rotary,
        norm=RMSNorm,
    )
