"""What a planner has to know of a model."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from scratchlm.foundation.arguments import one_of
from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import MLP
from scratchlm.model.embeddings.embedding import LearnedPositions
from scratchlm.model.published import presets
from scratchlm.model.published.accounting import n_norms
from scratchlm.model.published.kernel_parts import DEFINITIONS
from scratchlm.model.published.part_costs import cost, read
from scratchlm.model.transformer.transformer import (
    Part,
    TransformerConfig,
)


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """The sizes of a transformer, of which costs are functions.

    Args:
        name: what it is called.
        vocab_size: V.
        d_model: D.
        n_layers: L.
        n_heads: N, query heads.
        n_kv_heads: K, key and value heads.
        d_head: H.
        d_ff: F, of one expert where there are experts.
        gated: whether the feed-forward layer has a gate.
        tied: whether the head is the embedding.
        n_positions: rows of a learned table of positions.
        n_small: weights of a layer that multiply nothing: norms and biases.
        n_experts: E; 0 in a dense model.
        top_k: experts that a token goes to.
        n_last: weights of the norm before the head.
    """

    name: str
    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_ff: int
    gated: bool = False
    tied: bool = False
    n_positions: int = 0
    n_small: int = 0
    n_experts: int = 0
    top_k: int = 1
    n_last: int = 0

    @property
    def product_widths(self) -> tuple[int, ...]:
        """Columns of the results of a layer's products, in their order."""
        queries, keys = self.n_heads * self.d_head, self._keys
        up = (self.d_ff,) * (1 + self.gated)
        return (queries, keys, keys, self.d_model, *up, self.d_model)

    @property
    def _keys(self) -> int:
        return self.n_kv_heads * self.d_head

    @property
    def attention_weights(self) -> int:
        """Weights of one layer's attention that multiply."""
        return 2 * self.d_model * (self.n_heads * self.d_head + self._keys)

    @property
    def expert_weights(self) -> int:
        """Weights of one feed-forward layer, or of one of its experts."""
        return (2 + self.gated) * self.d_model * self.d_ff

    @property
    def layer_weights(self) -> int:
        """All weights of one layer."""
        experts = max(1, self.n_experts) * self.expert_weights
        router = self.d_model * self.n_experts
        return self.attention_weights + experts + router + self.n_small

    @property
    def multiplied(self) -> int:
        """Weights of one layer that multiply one token."""
        router = self.d_model * self.n_experts
        return (
            self.attention_weights + router + self.top_k * self.expert_weights
        )

    @property
    def table_weights(self) -> int:
        """Weights of the embedding, which is as large as the head."""
        return self.vocab_size * self.d_model

    @property
    def n_weights(self) -> int:
        """All parameters."""
        tables = (2 - self.tied) * self.table_weights
        tables += self.n_positions * self.d_model + self.n_last
        return self.n_layers * self.layer_weights + tables

    @property
    def n_active(self) -> int:
        """Parameters without the experts that a token does not go to."""
        idle = max(0, self.n_experts - self.top_k) * self.expert_weights
        return self.n_weights - self.n_layers * idle


def shape_of(config: TransformerConfig, name: str = "model") -> ModelShape:
    """Return the shape of a model of the book.

    Args:
        config: of the model.
        name: what to call it.

    Raises:
        ValueError: its attention keeps latents, its experts share one, or
            its layers differ in more than their masks.
    """
    attention, feedforward = (_only(config, n) for n in _LAYERED)
    maker, given = read(feedforward)
    maker = DEFINITIONS.get(maker, maker)
    if read(attention)[0] is not Attention or given.get("shared"):
        raise ValueError(
            f"{name} has latent attention or a shared expert, for which the "
            "planner has no formula; plan a model with plain attention and "
            "experts"
        )
    norm = cost(config.norm, config).added
    norms = (n_norms(config) - 1) // config.n_layers
    positions = read(config.embedding)[0] is LearnedPositions
    return ModelShape(
        name=name,
        n_positions=positions * config.max_tokens,
        n_small=norms * norm
        + cost(attention, config).added
        + cost(feedforward, config).added,
        n_last=norm,
        gated=maker is not MLP,
        n_experts=given.get("n_experts", 0),
        top_k=given.get("top_k", 1),
        d_ff=given.get("d_expert") or config.d_ff,
        **{size: getattr(config, size) for size in _SIZES},
    )


_LAYERED = ("attention", "feedforward")
_SIZES = (
    *("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads"),
    *("d_head", "tied"),
)


def _only(config: TransformerConfig, name: str) -> Part:
    part: Part = config.part(name, 0)
    kinds = {
        read(config.part(name, layer))[0] for layer in range(config.n_layers)
    }
    if len(kinds) > 1:
        raise ValueError(
            f"layers have {len(kinds)} kinds of {name}; the planner takes "
            "all layers for equal, so plan for the larger kind"
        )
    return part


def gpt(name: str, n_layers: int, d_model: int, n_heads: int) -> ModelShape:
    """Return a model like GPT-3, whose F is four times D.

    It has 51,200 tokens and 2,048 positions, as in NVIDIA's papers.

    Args:
        name: what to call it.
        n_layers: L.
        d_model: D.
        n_heads: N, which divides D.

    Source: Brown et al. 2020, "Language Models are Few-Shot Learners",
    table 2.1.
    """
    return ModelShape(
        name=name,
        n_layers=n_layers,
        d_model=d_model,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        d_head=d_model // n_heads,
        d_ff=4 * d_model,
        tied=True,
        # Biases of four products, and two norms with a scale and a shift.
        n_small=13 * d_model,
        n_last=2 * d_model,
        vocab_size=51_200,
        n_positions=2048,
    )


# By family: the function that makes a configuration, and its sizes.
FAMILIES: Mapping[
    str, tuple[Callable[[str], TransformerConfig], Collection[str]]
] = MappingProxyType(
    {
        "gpt2": (presets.gpt2, presets.GPT2),
        "llama2": (presets.llama2, presets.LLAMA2),
        "llama3": (presets.llama3, presets.LLAMA3),
        "mistral": (presets.mistral, presets.MISTRAL),
        "mixtral": (presets.mixtral, presets.MIXTRAL),
        "qwen3": (presets.qwen3, presets.QWEN3),
    }
)
_GPT3 = replace(gpt("gpt3-175b", 96, 12_288, 96), vocab_size=50_257)
NAMES = (
    *(
        f"{family}-{size}".lower()
        for family, (_, sizes) in FAMILIES.items()
        for size in sizes
    ),
    _GPT3.name,
)


def named(name: str) -> ModelShape:
    """Return a published model.

    Args:
        name: family and size, such as ``"llama3-8b"``; all are in ``NAMES``.

    Raises:
        ValueError: there is no such model.
    """
    one_of("model", name, NAMES)
    if name == _GPT3.name:
        return _GPT3
    family, _, size = name.partition("-")
    make, sizes = FAMILIES[family]
    written = {each.lower(): each for each in sizes}
    return shape_of(make(written[size]), name)
