"""Rows that hold several documents, which must not see each other."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from scratchlm.model.attention.masks import Hidden, Mask


class Edges(NamedTuple):
    """Where documents end and begin, over all rows of a batch.

    A kernel can tell from these numbers which tiles it may skip.

    Args:
        earliest: for each position the earliest beginning of a document that
            holds it, of all rows.
        latest: the latest.
        ends: the latest end, one past the last position.
    """

    earliest: list[int]
    latest: list[int]
    ends: list[int]


class Documents:
    """Which positions of a row belong to one document.

    ::

        numbers  0 0 0 1 1 2 -1 -1
        starts   0 0 0 3 3 5  6  7

    Two positions belong to one document if it starts at one place. Padding
    is a document of its own at each position, which sees itself alone: a
    softmax over nothing is no number.

    The masks that are made from it are kept, so that all layers of a model
    share one.

    Args:
        starts: where in its row the document of each position begins.
    """

    def __init__(self, starts: Int[Tensor, "B S"]):
        self.starts = starts
        self._visible: dict[tuple[Mask, int], Tensor] = {}
        self._added: dict[tuple[Mask, int, torch.dtype], Tensor] = {}
        self._last: dict[int, Documents] = {}

    @classmethod
    def of(cls, numbers: Int[Tensor, "B S"]) -> "Documents | None":
        """Return the documents of these rows; None if each row is one.

        Inside ``torch.compile``, where numbers cannot be looked at, it is
        never None, and nothing is refused.

        Args:
            numbers: of the document of each position, which grow from one
                document to the next; -1 is padding.

        Raises:
            ValueError: a number does not grow, or is below -1.
        """
        begins = numbers[:, 1:] != numbers[:, :-1]
        begins = F.pad(begins, (1, 0), value=True)
        begins |= numbers < 0
        if not torch.compiler.is_compiling():
            _check(numbers, begins)
            if not begins[:, 1:].any() and (numbers >= 0).all():
                return None
        at = torch.arange(numbers.shape[1], device=numbers.device)
        return cls(torch.where(begins, at, 0).cummax(1).values)

    @property
    def positions(self) -> Int[Tensor, "B S"]:
        """Of each position in its document, from 0."""
        at = torch.arange(self.starts.shape[1], device=self.starts.device)
        return at - self.starts

    def check_keys(self, n_keys: int) -> None:
        """Refuse keys of which some have no document.

        Args:
            n_keys: S, the number of keys.

        Raises:
            ValueError: the documents are of another number of keys.
        """
        known = self.starts.shape[1]
        if known != n_keys:
            raise ValueError(
                f"{n_keys} keys, but the documents of {known} are known; "
                "give those of the positions in the cache too"
            )

    def last(self, n_keys: int) -> "Documents":
        """Return the documents of the last positions alone.

        A cache that has forgotten the first keys of a row returns fewer than
        there are positions.

        Args:
            n_keys: how many of the last positions.

        Raises:
            ValueError: there are not so many positions.
        """
        forgotten = self.starts.shape[1] - n_keys
        if forgotten == 0:
            return self
        if forgotten < 0:
            self.check_keys(n_keys)
        if n_keys not in self._last:
            starts = self.starts[:, forgotten:] - forgotten
            self._last[n_keys] = Documents(starts.clamp(min=0))
        return self._last[n_keys]

    @cached_property
    def ends(self) -> Int[Tensor, "B S"]:
        """Where in its row the document of each position ends.

        It is the next position at which a document begins.
        """
        n_keys = self.starts.shape[1]
        at = torch.arange(n_keys, device=self.starts.device)
        begins = torch.where(self.starts == at, at, n_keys).flip(1)
        after = begins.cummin(1).values.flip(1)[:, 1:]
        return F.pad(after, (0, 1), value=n_keys)

    @cached_property
    def edges(self) -> Edges:
        """Where documents end and begin, as numbers of Python."""
        earliest, latest = self.starts.aminmax(dim=0)
        ends = self.ends.amax(0)
        return Edges(earliest.tolist(), latest.tolist(), ends.tolist())

    def visible(self, mask: Mask, n_tokens: int) -> Bool[Tensor, "B 1 T S"]:
        """Return True where query t may see key s.

        Args:
            mask: what it may see in a row that is one document.
            n_tokens: T, the number of queries; they are the last ones.
        """
        key = mask, n_tokens
        if key not in self._visible:
            n_keys = self.starts.shape[1]
            queries = self.starts[:, n_keys - n_tokens :, None]
            same = queries == self.starts[:, None]
            near = mask.visible(n_tokens, n_keys, self.starts.device)
            self._visible[key] = (same & near)[:, None]
        return self._visible[key]

    def added(
        self, mask: Mask, n_tokens: int, dtype: torch.dtype
    ) -> Float[Tensor, "B 1 T S"]:
        """Return what kernels add to the scores: 0, or -inf to hide a key.

        Args:
            mask: what a query may see in a row that is one document.
            n_tokens: T, the number of queries; they are the last ones.
            dtype: of the scores.
        """
        key = mask, n_tokens, dtype
        if key not in self._added:
            visible = self.visible(mask, n_tokens)
            added = torch.zeros_like(visible, dtype=dtype)
            self._added[key] = added.masked_fill_(~visible, -torch.inf)
        return self._added[key]


@dataclass(frozen=True)
class Within:
    """Each query sees what a mask lets it see, of its own document.

    Args:
        mask: what it may see in a row that is one document.
        documents: of the rows.
    """

    mask: Mask
    documents: Documents

    def hides(self, n_tokens: int, n_keys: int) -> Hidden:
        """Return what :class:`~scratchlm.model.attention.masks.Mask` asks."""
        return "more"

    def visible(
        self, n_tokens: int, n_keys: int, device: torch.device
    ) -> Bool[Tensor, "B 1 T S"]:
        """Return True where the key is visible and of the same document.

        Raises:
            ValueError: the documents are of another number of keys.
        """
        self.documents.check_keys(n_keys)
        return self.documents.visible(self.mask, n_tokens)


def within(mask: Mask, documents: Documents | None) -> Mask:
    """Return the mask that hides other documents too.

    Args:
        mask: what a query may see in a row that is one document.
        documents: of the rows; None if each row is one.
    """
    return mask if documents is None else Within(mask, documents)


def _check(numbers: Tensor, begins: Tensor) -> None:
    """Refuse a document in two parts: each part would be taken for one."""
    if numbers.numel() and numbers.min() < -1:
        raise ValueError(
            f"a document has number {numbers.min()}; count from 0, and give "
            "-1 for padding"
        )
    highest = numbers.cummax(1).values
    again = (numbers[:, 1:] >= 0) & begins[:, 1:]
    again &= numbers[:, 1:] <= highest[:, :-1]
    if again.any():
        row, at = (int(each) for each in again.nonzero()[0])
        raise ValueError(
            f"row {row} has document {int(numbers[row, at + 1])} at position "
            f"{at + 1}, after document {int(highest[row, at])} began; lay "
            "each document in one piece, with numbers that grow"
        )
