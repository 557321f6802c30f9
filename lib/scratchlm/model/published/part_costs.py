"""What each kind of part costs, as formulas in the book's letters.

A row for each class that a configuration can name. Nothing is built: a
row reads the sizes of the configuration and the keywords that a
``functools.partial`` gave.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
    Softcapped,
)
from scratchlm.model.attention.masks import CAUSAL, Causal, Everything, Window
from scratchlm.model.block.block import (
    OutputNorm,
    PostNorm,
    PreNorm,
    SandwichNorm,
)
from scratchlm.model.block.feedforward import MLP, GatedMLP, SwiGLU
from scratchlm.model.block.norm import (
    LayerNorm,
    RMSNorm,
    norm_all_heads,
    norm_each_head,
)
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.efficient_attention.tiled_attention import Tiled
from scratchlm.model.embeddings.embedding import (
    LearnedPositions,
    SinusoidalPositions,
    TokenEmbedding,
)
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.published.kernel_parts import DEFINITIONS
from scratchlm.model.transformer.head import LinearHead, SoftcappedHead
from scratchlm.model.transformer.transformer import Part, TransformerConfig

Given = Mapping[str, Any]
Config = TransformerConfig


class Cost(NamedTuple):
    """What one part costs.

    Args:
        multiplied: weights that multiply each token, in a matrix.
        waiting: weights that do not multiply this token: the rows of other
            tokens in an embedding, the experts that were not chosen.
        added: weights that shift or scale, one number at a time.
        pair: multiplications for one query and one key.
        cached: numbers that a cache keeps of one token.
    """

    multiplied: int = 0
    waiting: int = 0
    added: int = 0
    pair: int = 0
    cached: int = 0

    @property
    def weights(self) -> int:
        """Number of parameters."""
        return self.multiplied + self.waiting + self.added


def read(part: Part) -> tuple[Part, Given]:
    """Return what makes a part, and the keywords that are set already.

    Args:
        part: a class, or ``functools.partial`` of one.
    """
    if isinstance(part, partial):
        return part.func, part.keywords
    return part, {}


def cost(part: Part, config: Config) -> Cost:
    """Return what a part costs in a model.

    Args:
        part: a class, or ``functools.partial`` of one.
        config: of the model.

    Raises:
        ValueError: there is no formula for this part.
    """
    maker, given = read(part)
    maker = DEFINITIONS.get(maker, maker)
    if maker not in COSTS:
        raise no_formula(maker)
    return COSTS[maker](config, given)


def no_formula(maker: Part) -> ValueError:
    """Return the error for a part that no formula knows.

    Args:
        maker: what was to be counted.
    """
    name = getattr(maker, "__name__", repr(maker))
    return ValueError(
        f"no formula for {name}; build the model and use "
        "accounting.count or accounting.saved_bytes"
    )


def keys_seen(core: Part, n_tokens: int) -> float:
    """Return how many keys a query sees, on average over a sequence.

    Args:
        core: of attention; its mask decides.
        n_tokens: length T of the sequence.

    Raises:
        ValueError: there is no formula for its mask.
    """
    mask = read(core)[1].get("mask", CAUSAL)
    if isinstance(mask, Everything):
        return float(n_tokens)
    if not isinstance(mask, Causal | Window):
        raise no_formula(type(mask))
    w = min(n_tokens, keys_kept(core, n_tokens))
    # The first w queries see 1, 2, … w keys, and the rest w each.
    return (w * (w + 1) / 2 + (n_tokens - w) * w) / n_tokens


def keys_kept(core: Part, n_tokens: int) -> int:
    """Return how many keys a later query can still see.

    Args:
        core: of attention; its mask decides.
        n_tokens: number of positions so far.
    """
    mask = read(core)[1].get("mask", CAUSAL)
    return min(n_tokens, mask.size) if isinstance(mask, Window) else n_tokens


def _table(c: Config, given: Given) -> Cost:
    return Cost(waiting=c.vocab_size * c.d_model)


def _two_tables(c: Config, given: Given) -> Cost:
    return Cost(waiting=(c.vocab_size + c.max_tokens) * c.d_model)


def _attention(c: Config, given: Given) -> Cost:
    queries, keys = c.n_heads * c.d_head, c.n_kv_heads * c.d_head
    added = given.get("bias", False) * (queries + 2 * keys)
    added += given.get("out_bias", False) * c.d_model
    if given.get("qk_norm"):
        added += cost(given["qk_norm"], c).added
    return Cost(
        multiplied=c.d_model * (2 * queries + 2 * keys),
        added=added,
        pair=2 * queries,
        cached=2 * keys,
    )


def _latent(c: Config, given: Given) -> Cost:
    latent, turned = given["d_latent"], given["d_rotary"]
    narrow = given.get("d_query_latent")
    width, heads = c.d_head + turned, c.n_heads
    keys = c.d_model * (latent + turned) + 2 * latent * heads * c.d_head
    queries = (narrow or c.d_model) * heads * width
    queries += (narrow or 0) * c.d_model
    norm, _ = read(given.get("norm", RMSNorm))
    return Cost(
        multiplied=keys + queries + heads * c.d_head * c.d_model,
        added=(latent + (narrow or 0)) * _scales(norm),
        pair=heads * (width + c.d_head),
        cached=latent + turned,
    )


def _scales(norm: Part) -> int:
    return 2 if norm is LayerNorm else 1


def _mlp(c: Config, given: Given) -> Cost:
    bias = given.get("bias", True)
    return Cost(2 * c.d_model * c.d_ff, added=bias * (c.d_model + c.d_ff))


def _gated(c: Config, given: Given) -> Cost:
    bias = given.get("bias", False)
    added = bias * (c.d_model + 2 * c.d_ff)
    return Cost(3 * c.d_model * c.d_ff, added=added)


def _experts(c: Config, given: Given) -> Cost:
    expert = 3 * c.d_model * (given.get("d_expert") or c.d_ff)
    n_experts, chosen = given["n_experts"], given["top_k"]
    shared = Cost()
    if given.get("shared"):
        # It is called with D alone, so its F is among its keywords.
        width = read(given["shared"])[1]["d_ff"]
        shared = cost(given["shared"], replace(c, d_ff=width))
    return Cost(
        multiplied=c.d_model * n_experts + chosen * expert + shared.multiplied,
        waiting=(n_experts - chosen) * expert,
        added=shared.added,
    )


def _head(c: Config, given: Given) -> Cost:
    bias = given.get("bias", True)
    return Cost(c.d_model * c.vocab_size, added=bias * c.vocab_size)


def _layer_norm(c: Config, given: Given) -> Cost:
    return Cost(added=(1 + given.get("bias", True)) * c.d_model)


COSTS: dict[Part, Callable[[Config, Given], Cost]] = {
    TokenEmbedding: _table,
    SinusoidalPositions: _table,
    LearnedPositions: _two_tables,
    Attention: _attention,
    LatentAttention: _latent,
    norm_each_head: lambda c, given: Cost(added=2 * c.d_head),
    norm_all_heads: lambda c, given: Cost(
        added=(c.n_heads + c.n_kv_heads) * c.d_head
    ),
    **dict.fromkeys(
        (DotProduct, Tiled, ScoredAttention, Softcapped, ALiBi),
        lambda c, given: Cost(),
    ),
    MLP: _mlp,
    GatedMLP: _gated,
    SwiGLU: _gated,
    MixtureOfExperts: _experts,
    RMSNorm: lambda c, given: Cost(added=c.d_model),
    LayerNorm: _layer_norm,
    nn.Linear: _head,
    LinearHead: lambda c, given: Cost(c.d_model * c.vocab_size),
    SoftcappedHead: lambda c, given: Cost(c.d_model * c.vocab_size),
}

# How many norms stand in a block.
NORMS: dict[Part, int] = {
    PreNorm: 2,
    PostNorm: 2,
    OutputNorm: 2,
    SandwichNorm: 4,
}
