"""A transformer from parts that are passed in."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.model.attention.attention import Attention, LayerCache
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.documents import Documents
from scratchlm.model.block.block import PreNorm
from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.block.initialization import initialize
from scratchlm.model.block.norm import RMSNorm
from scratchlm.model.embeddings.embedding import TokenEmbedding
from scratchlm.model.positions.rotary import Rotary
from scratchlm.model.transformer.head import LinearHead

# A class, or a partial of one, whose call makes a part of the model.
Part = Callable[..., Any]


@runtime_checkable
class Cache(Protocol):
    """What a model knows of a cache."""

    @property
    def length(self) -> int:
        """Number of positions that every layer has kept."""
        ...

    def __getitem__(self, layer: int) -> LayerCache:
        """Return the cache of one layer, counted from 0."""
        ...


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The sizes of a model, and the parts that it is made of.

    A part is a class, or ``functools.partial`` of one that sets what the
    sizes do not. ``attention``, ``core`` and ``feedforward`` may also be
    tuples, whose entries the layers take in turn.

    Args:
        vocab_size: number of tokens V.
        d_model: width D of the residual stream.
        n_layers: number of blocks L.
        n_heads: number of query heads N.
        n_kv_heads: number of key and value heads K, a divisor of N.
        d_head: width H of a head.
        d_ff: width F inside the feed-forward layer.
        max_tokens: length of the longest sequence that the model is for.
        d_rotary: axes of a head that are turned; all if None.
        tied: whether the head uses the token embedding's weights.
        embedding: called with V, D and max_tokens.
        rotary: called with d_rotary and max_tokens.
        attention: called with D, N, K, H and ``core=``.
        core: called with N.
        feedforward: called with D and F.
        norm: called with D.
        block: called with attention, feed-forward and a maker of norms.
        head: called with D and V.
        init: called with the model and L; draws the weights.

    Raises:
        ValueError: a size is below 1, or K does not divide N.
    """

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_ff: int
    max_tokens: int
    d_rotary: int | None = None
    tied: bool = False
    embedding: Part = TokenEmbedding
    rotary: Part = Rotary
    attention: Part | tuple[Part, ...] = Attention
    core: Part | tuple[Part, ...] = DotProduct
    feedforward: Part | tuple[Part, ...] = SwiGLU
    norm: Part = RMSNorm
    block: Part = PreNorm
    head: Part = LinearHead
    init: Callable[[nn.Module, int], None] = initialize

    def __post_init__(self) -> None:
        for field in fields(self):
            size = getattr(self, field.name)
            if type(size) is int and size < 1:
                raise ValueError(f"{field.name} is {size}; use at least 1")
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_kv_heads is {self.n_kv_heads}, which does not divide "
                f"n_heads, {self.n_heads}; each key head serves equally many "
                "query heads"
            )

    def part(self, name: str, layer: int) -> Part:
        """Return the part of one layer.

        Args:
            name: ``"attention"``, ``"core"`` or ``"feedforward"``.
            layer: counted from 0.
        """
        given: Any = getattr(self, name)
        chosen: Part = (
            given[layer % len(given)] if isinstance(given, tuple) else given
        )
        return chosen


class Transformer(nn.Module):
    """Tokens to logits.

    ::

        tokens ─ embedding ─ block ─ … ─ block ─ norm ─ head ─ logits

    Args:
        config: sizes and parts.

    Source: Vaswani et al. 2017, "Attention Is All You Need", fig. 1, the
    decoder alone; Radford et al. 2018.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        c = self.config = config
        self.embedding = c.embedding(c.vocab_size, c.d_model, c.max_tokens)
        self.rotary = c.rotary(c.d_rotary or c.d_head, c.max_tokens)
        self.blocks = nn.ModuleList(map(self._block, range(c.n_layers)))
        self.norm = c.norm(c.d_model)
        self.head = c.head(c.d_model, c.vocab_size)
        c.init(self, c.n_layers)
        if c.tied:
            self.head.weight = self.embedding.tokens.weight

    def _block(self, layer: int) -> nn.Module:
        c = self.config
        heads = c.n_heads, c.n_kv_heads, c.d_head
        core = c.part("core", layer)(c.n_heads)
        return c.block(
            c.part("attention", layer)(c.d_model, *heads, core=core),
            c.part("feedforward", layer)(c.d_model, c.d_ff),
            partial(c.norm, c.d_model),
        )

    def hidden(
        self,
        tokens: Int[Tensor, "B T"],
        *,
        cache: Cache | None = None,
        documents: Int[Tensor, "B S"] | Documents | None = None,
        positions: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T D"]:
        """Return what the head reads.

        Args:
            tokens: ids below ``vocab_size``.
            cache: keys and values of the positions before these; it is
                extended by these.
            documents: a number for each document of a row, which grows from
                one to the next; -1 is padding. Of all S positions, those in
                the cache too. Each row is one document if None. Whoever
                has made a :class:`Documents` already may give that.
            positions: of each token; counted from the beginning of its
                document if None.

        Raises:
            ValueError: the embedding cannot tell so many positions apart, a
                token is not in the vocabulary, a document is not in one
                piece, or shapes do not match.
        """
        start = 0 if cache is None else cache.length
        stop = start + tokens.shape[1]
        # Not `len`, which would fix the size of a batch that is exported.
        packed = self._packed(documents, tokens.shape[0], stop)
        if positions is None:
            positions = self._positions(packed, start, stop, tokens.device)
        x = self._embed(tokens, positions)
        turn = self.rotary(positions)
        for layer, block in enumerate(self.blocks):
            x = block(x, turn, None if cache is None else cache[layer], packed)
        return self.norm(x)

    def _packed(
        self, documents: Tensor | Documents | None, n_rows: int, n_keys: int
    ) -> Documents | None:
        if documents is None or isinstance(documents, Documents):
            return documents
        shape = n_rows, n_keys
        if documents.shape != shape:
            raise ValueError(
                f"documents have shape {tuple(documents.shape)}, and tokens "
                f"with those in the cache {shape}; give one for each"
            )
        return Documents.of(documents)

    def _positions(
        self,
        packed: Documents | None,
        start: int,
        stop: int,
        device: torch.device,
    ) -> Tensor:
        if packed is not None:
            return packed.positions[:, start:]
        if stop > self.embedding.max_tokens:
            raise ValueError(
                f"{stop} positions, but the model has vectors for "
                f"{self.embedding.max_tokens}; shorten the text"
            )
        return torch.arange(start, stop, device=device)

    def _embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        if positions.ndim > 1 and positions.shape != tokens.shape:
            raise ValueError(
                f"positions have shape {tuple(positions.shape)}, and tokens "
                f"{tuple(tokens.shape)}; give one for each"
            )
        try:
            x: Tensor = self.embedding(tokens, positions)
        except IndexError:
            low, high = positions.aminmax()
            if low < 0 or high >= self.embedding.max_tokens:
                raise ValueError(
                    f"positions from {low} to {high}, but the model has "
                    f"vectors for {self.embedding.max_tokens}, from 0; "
                    "shorten the documents"
                ) from None
            raise ValueError(
                f"tokens from {tokens.min()} to {tokens.max()}, but the "
                f"vocabulary has {self.config.vocab_size}, from 0; encode "
                "the text with the tokenizer of this model"
            ) from None
        return x

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        *,
        cache: Cache | None = None,
        documents: Int[Tensor, "B S"] | Documents | None = None,
        positions: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Return a score for each token of the vocabulary as the next one.

        Args:
            tokens: ids below ``vocab_size``.
            cache: keys and values of the positions before these; it is
                extended by these.
            documents: a number for each document of a row, which grows from
                one to the next; -1 is padding. Of all S positions, those in
                the cache too. Each row is one document if None. Whoever
                has made a :class:`Documents` already may give that.
            positions: of each token; counted from the beginning of its
                document if None.

        Raises:
            ValueError: the embedding cannot tell so many positions apart, a
                token is not in the vocabulary, a document is not in one
                piece, or shapes do not match.
        """
        x = self.hidden(
            tokens, cache=cache, documents=documents, positions=positions
        )
        return self.head(x)
