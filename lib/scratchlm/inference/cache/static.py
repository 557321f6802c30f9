"""A cache whose tensors never change their shape."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scratchlm.inference.cache.kv_cache import (
    Admitted,
    LayeredCache,
    Where,
    window_of,
)
from scratchlm.model.attention.documents import Documents
from scratchlm.model.attention.masks import Mask


class Slots(Documents):
    """Rows in buffers of one size, each filled up to a place of its own.

    ::

        slots    0 1 2 3 4 5 6 7
        row 0    a b c d e q ░ ░      q: the query, in its own slot
        row 1    d e f q ░ ░ ░ ░      ░: hidden

    Args:
        at: the slot of each row's one query.
        n_slots: number S of slots.
    """

    def __init__(self, at: Int[Tensor, " B"], n_slots: int):
        self.at = at
        self.slots = torch.arange(n_slots, device=at.device)
        self._added = {}

    @property
    def starts(self) -> Tensor:  # type: ignore[override]
        """Refuse cores that work out themselves what a query sees.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "this core of attention asks where documents begin, which does "
            "not tell it which slots are filled; use DotProduct, or the "
            "cache of cache_for"
        )

    def check_keys(self, n_keys: int) -> None:
        """Refuse keys that are not one for each slot."""
        assert n_keys == len(self.slots), "a row's keys are all slots"

    def last(self, n_keys: int) -> Documents:
        """Return itself, for all slots are there."""
        self.check_keys(n_keys)
        return self

    def visible(self, mask: Mask, n_tokens: int) -> Bool[Tensor, "B 1 1 S"]:
        """Return True where the query may see a slot.

        Args:
            mask: what a query sees in a row without gaps: a band.
            n_tokens: one.
        """
        assert n_tokens == 1, "a row has one query"
        behind = self.at[:, None] - self.slots
        reach = getattr(mask, "reach", None)
        assert reach is not None, "a static cache refuses such a model"
        seen = (behind >= 0) & (behind <= reach.behind)
        return seen[:, None, None]


class StaticLayer:
    """Keys and values in buffers that are made once.

    Args:
        n_slots: number S of positions for which there is room.
    """

    def __init__(self, n_slots: int):
        self.n_slots, self.seen = n_slots, 0
        # The slot of each row's next token; None while rows are read side
        # by side from slot `seen` on.
        self.at: Tensor | None = None
        self.parts: tuple[Tensor, ...] = ()

    @property
    def n_bytes(self) -> int:
        """Memory of its buffers, in bytes."""
        return sum(part.nbytes for part in self.parts)

    def append(
        self, k: Float[Tensor, "B K T H"], v: Float[Tensor, "B K T Hv"]
    ) -> tuple[Float[Tensor, "B K S H"], Float[Tensor, "B K S Hv"]]:
        """Keep those of T new positions.

        Returns:
            While a prompt is read, those of the slots filled so far. Behind
            it, those of all slots.
        """
        if self.at is None:
            return self._read(k, v)
        rows = torch.arange(len(k), device=k.device)
        for part, new in zip(self.parts, (k, v), strict=True):
            # Not scatter_, for which a compiler copies the whole buffer.
            part[rows, :, self.at] = new[:, :, 0].detach()
        return self.parts[0], self.parts[1]

    def _read(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if not self.parts:
            # Zeros: a weight of 0 on what happens to lie in memory may be
            # NaN.
            self.parts = tuple(
                new.new_zeros(*new.shape[:2], self.n_slots, new.shape[3])
                for new in (k, v)
            )
        start, self.seen = self.seen, self.seen + k.shape[2]
        for part, new in zip(self.parts, (k, v), strict=True):
            part[:, :, start : self.seen] = new.detach()
        kept = [part[:, :, : self.seen] for part in self.parts]
        return kept[0], kept[1]

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order."""
        self.parts = tuple(part.index_select(0, rows) for part in self.parts)


class StaticCache(LayeredCache):
    """Keys and values of a known number of positions, in fixed buffers.

    Its tensors have one shape from the first token to the last, which a
    compiler asks for. The price is that each step reads all slots, filled
    or not. Rows of unlike length begin at one slot and are padded at the
    right; the next tokens of a row overwrite its padding.

    Args:
        model: a transformer whose masks are bands.
        n_slots: number S of positions, the prompt's and those to come.

    Raises:
        ValueError: ``n_slots`` is below 1, or a query sees keys after its
            own, or its mask is no band.
    """

    chunk: int | None = None
    endless = False
    fixed = True

    def __init__(self, model: nn.Module, n_slots: int):
        if n_slots < 1:
            raise ValueError(f"n_slots is {n_slots}; use at least 1")
        for block in model.blocks:  # type: ignore[union-attr]
            window_of(block)
            mask = getattr(block.attention.core, "mask", None)
            if not hasattr(mask, "reach"):
                raise ValueError(
                    f"{mask} has no reach, which says which slots a query "
                    "sees; use the cache of cache_for with this mask"
                )
        n_layers = len(model.blocks)  # type: ignore[arg-type]
        self.slots = [StaticLayer(n_slots) for _ in range(n_layers)]
        super().__init__(self.slots)
        self.n_slots = n_slots
        self.lengths: list[int] = []
        self.live: list[int] = []
        self._unread = 0

    def admit(
        self, rows: Sequence[Sequence[int]], device: torch.device
    ) -> Admitted:
        """Make one tensor of the rows that are read first.

        Args:
            rows: tokens of each row of the batch.
            device: of the tensor.

        Raises:
            ValueError: the cache holds something, or has too few slots.
        """
        lengths = [len(row) for row in rows]
        longest = max(lengths)
        if self.length:
            raise ValueError(
                "a static cache reads one prompt; make a new one, or use the "
                "cache of cache_for to go on with a text"
            )
        if longest > self.n_slots:
            raise ValueError(
                f"a prompt of {longest} tokens for {self.n_slots} slots; "
                "give the cache more"
            )
        padded = [list(row) + [0] * (longest - len(row)) for row in rows]
        self.lengths, self._unread = lengths, longest
        self.live = list(range(len(rows)))
        tokens = torch.tensor(padded, device=device)
        return Admitted(tokens, torch.tensor(lengths, device=device) - 1)

    def where(self, n_new: int) -> Where:
        """Return what the model is told of the next positions.

        Args:
            n_new: how many: any number in a prompt, one behind it.

        Raises:
            ValueError: a row has filled all slots.
        """
        if self._unread:
            self._unread -= n_new
            return Where()
        assert n_new == 1, "each row has one next token"
        if max(self.lengths[row] for row in self.live) == self.n_slots:
            raise ValueError(
                f"all {self.n_slots} slots of the cache are filled; give it "
                "as many as the prompt and the new tokens take"
            )
        device = self.slots[0].parts[0].device
        # A row that has stopped may have filled its last slot.
        slots = [min(n, self.n_slots - 1) for n in self.lengths]
        at = torch.tensor(slots, device=device)
        for row in self.live:
            self.lengths[row] += 1
        for layer in self.slots:
            layer.at, layer.seen = at, max(self.lengths)
        return Where(Slots(at, self.n_slots), at[:, None])

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order; a row may come twice.

        Args:
            rows: their numbers, from 0.
        """
        for layer in self.layers:
            layer.keep(rows)
        self.lengths = [self.lengths[row] for row in rows.tolist()]
        self.live = list(range(len(rows)))

    def leave(self, live: Sequence[int]) -> list[int]:
        """Count the rows that have stopped on no longer; they stay.

        Args:
            live: where those stand that go on.

        Returns:
            Where they stand from now on.
        """
        self.live = list(live)
        return self.live
