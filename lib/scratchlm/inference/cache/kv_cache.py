"""A layer's cache for each layer of a model, and the rows of a batch."""

from collections.abc import Sequence
from sys import maxsize
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from scratchlm.inference.cache.layers import (
    ContiguousLayer,
    KeptLayer,
    RollingLayer,
)
from scratchlm.model.attention.documents import Documents


class Admitted(NamedTuple):
    """Rows of unlike length, made into one tensor.

    Args:
        tokens: the rows, padded with 0.
        last: where in each the last token stands that is no padding.
    """

    tokens: Int[Tensor, "B T"]
    last: Int[Tensor, " B"]


class Where(NamedTuple):
    """What a model is told of the next positions of a batch.

    Args:
        documents: which positions belong together; None if each row is one
            text without padding.
        positions: of the new tokens; None if they follow from the rest.
    """

    documents: Documents | None = None
    positions: Int[Tensor, "B T"] | None = None


class LayeredCache:
    """A layer's cache for each layer of a model.

    Args:
        layers: one for each.
    """

    def __init__(self, layers: Sequence[KeptLayer]):
        self.layers = list(layers)

    @property
    def length(self) -> int:
        """Number of positions that every layer has been given."""
        return self.layers[0].seen

    @property
    def n_bytes(self) -> int:
        """Memory of the buffers of all layers, in bytes."""
        return sum(layer.n_bytes for layer in self.layers)

    def __getitem__(self, layer: int) -> KeptLayer:
        """Return the cache of one layer, counted from 0."""
        return self.layers[layer]


class KVCache(LayeredCache):
    """Keys and values of the positions that a model has read.

    ::

        row 0    a b c d e ─ next
        row 1    · · d e f ─ next      padded at the left
                 └ all that was read

    Rows of unlike length end at one place, so that the next token of each
    stands in one column, as each core of attention expects it.

    Args:
        layers: one for each layer of the model.
    """

    chunk: int | None = None  # it takes any number of positions at once
    endless = False  # but no more than the model's context
    fixed = False  # a row that has stopped leaves

    def __init__(self, layers: Sequence[KeptLayer]):
        super().__init__(layers)
        # How many positions at the left of each row are no text.
        self.padding: Tensor | None = None
        self.n_rows = 0
        self.device = torch.device("cpu")

    def admit(
        self, rows: Sequence[Sequence[int]], device: torch.device
    ) -> Admitted:
        """Make one tensor of the rows that are read next.

        Args:
            rows: new tokens of each row of the batch.
            device: of the tensor.

        Raises:
            ValueError: the cache holds something, and the rows are more or
                fewer, or of unlike length: padding would stand inside of a
                text.
        """
        if self.length and len(rows) != self.n_rows:
            raise ValueError(
                f"{len(rows)} rows go on with {self.n_rows} texts in this "
                "cache; give one for each that has not stopped"
            )
        self.n_rows, self.device = len(rows), device
        lengths = [len(row) for row in rows]
        longest = max(lengths)
        if min(lengths) < longest:
            if self.length:
                raise ValueError(
                    f"rows of {min(lengths)} to {longest} tokens go on with "
                    "texts in this cache; give equally many for each, or "
                    "read each text with a cache of its own"
                )
            padding = [longest - n for n in lengths]
            self.padding = torch.tensor(padding, device=device)
        padded = [[0] * (longest - len(row)) + list(row) for row in rows]
        tokens = torch.tensor(padded, device=device)
        return Admitted(tokens, torch.full_like(tokens[:, 0], longest - 1))

    def where(self, n_new: int) -> Where:
        """Return what the model is told of the next positions.

        Args:
            n_new: how many.
        """
        if self.padding is None:
            return Where()
        stop = self.length + n_new
        at = torch.arange(stop, device=self.padding.device)
        pads = self.padding[:, None]
        # Padding is a document of its own at each position.
        return Where(Documents(torch.where(at < pads, at, pads)))

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order; a row may come twice.

        Args:
            rows: their numbers, from 0.
        """
        self.n_rows = len(rows)
        for layer in self.layers:
            layer.keep(rows)
        if self.padding is not None:
            self.padding = self.padding[rows]

    def leave(self, live: Sequence[int]) -> list[int]:
        """Drop the rows that have stopped.

        Args:
            live: where those stand that go on.

        Returns:
            Where they stand from now on.
        """
        self.keep(torch.tensor(live, device=self.device))
        return list(range(len(live)))


def window_of(block: nn.Module) -> int:
    """Return how many keys a query of a layer sees, itself included.

    Args:
        block: of a transformer.

    Returns:
        ``sys.maxsize`` if there is no bound.

    Raises:
        ValueError: a query also sees later keys, so that each new token
            changes what was computed for those before it.
    """
    core = getattr(getattr(block, "attention", None), "core", None)
    reach = getattr(getattr(core, "mask", None), "reach", None)
    if reach is None:
        return maxsize
    if reach.ahead:
        raise ValueError(
            f"a query sees {reach.ahead} keys after its own, so keys cannot "
            "be kept from one token to the next; use a causal mask"
        )
    return min(reach.behind, maxsize - 1) + 1


def cache_for(model: nn.Module) -> KVCache:
    """Return an empty cache, with the cheapest layer for each layer.

    One with a window keeps no more than the window sees. In multi-head
    latent attention a layer keeps latent vectors and rotary keys; it needs
    no cache of another kind.

    Args:
        model: a transformer.

    Raises:
        ValueError: a query sees keys after its own.
    """
    sizes = [window_of(block) for block in model.blocks]  # type: ignore
    return KVCache(
        [
            ContiguousLayer() if size == maxsize else RollingLayer(size)
            for size in sizes
        ]
    )
