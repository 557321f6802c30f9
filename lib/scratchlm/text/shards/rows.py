"""Rows of equal length out of shards.

Two ways to cut them: through the stream of tokens, or along documents.
"""

import hashlib
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int32, Int64

from scratchlm.foundation.arrays import Numbers, spans
from scratchlm.text.shards.packing import best_fit

IGNORED = -100  # the target that PyTorch's cross_entropy leaves out


class Batch(NamedTuple):
    """Rows to train on.

    Args:
        tokens: what the model reads.
        targets: what it should say at each position: the token after it.
            ``IGNORED`` where there is none.
        documents: a number for each document of a row, from 0; -1 is
            padding. None where nobody asked.
        positions: of each token in its document, from 0 where the document
            or the row begins. None where nobody asked.
    """

    tokens: Int64[np.ndarray, "B T"]
    targets: Int64[np.ndarray, "B T"]
    documents: Int32[np.ndarray, "B T"] | None = None
    positions: Int32[np.ndarray, "B T"] | None = None


@runtime_checkable
class Tokens(Protocol):
    """Documents as tokens, on a disk or in memory."""

    @property
    def name(self) -> str:
        """How messages call them."""

    @property
    def n_tokens(self) -> int:
        """Tokens in all documents."""

    @property
    def end_id(self) -> int | None:
        """The id of the token that ends each document, or None."""

    @property
    def fingerprint(self) -> str:
        """A hash of the content."""

    def document_starts(self) -> Int64[np.ndarray, "D1"]:
        """Where each document begins, and where the last one ends."""

    def windows(
        self, starts: Int[np.ndarray, "B"], length: int
    ) -> Int64[np.ndarray, "B length"]:
        """Equally long ranges, each a row."""

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another."""


@runtime_checkable
class Rows(Protocol):
    """What can be shuffled and batched."""

    n_tokens: int
    documents: bool

    @property
    def fingerprint(self) -> str:
        """A hash of what determines the rows."""

    def __len__(self) -> int: ...

    def gather(self, numbers: Int[np.ndarray, "B"]) -> Batch:
        """The rows of these numbers."""


class ChoppedRows:
    """The stream of all documents, cut every T tokens.

    Row ``i`` reads the tokens from ``i * T`` on, and its targets are those
    from ``i * T + 1`` on: two rows share one token, and each token but the
    first is a target once. What is left at the end, less than T, is unused.

    Args:
        shards: the documents, as shards or in memory.
        n_tokens: T, the length of a row.
        documents: give the numbers of documents and the positions too.

    Raises:
        ValueError: there are fewer than T + 1 tokens, or the documents have
            no end by which to tell them apart.
    """

    def __init__(
        self, shards: Tokens, n_tokens: int, *, documents: bool = False
    ):
        _check_length(n_tokens)
        if shards.n_tokens <= n_tokens:
            raise ValueError(
                f"{shards.name} holds {shards.n_tokens} tokens, and a row "
                f"of {n_tokens} needs one more than that; give shorter rows"
            )
        self.shards, self.n_tokens = shards, n_tokens
        self.documents = documents
        self._end_id = _end_id(shards) if documents else None

    def __len__(self) -> int:
        return (self.shards.n_tokens - 1) // self.n_tokens

    @property
    def fingerprint(self) -> str:
        """A hash of what determines the rows."""
        return _hash("chopped", self.shards, self.n_tokens)

    def gather(self, numbers: Int[np.ndarray, "B"]) -> Batch:
        """The rows of these numbers.

        Returns:
            Tokens and targets are views into one array.
        """
        starts = numbers * self.n_tokens
        both = self.shards.windows(starts, self.n_tokens + 1)
        return read_by_documents(both, self._end_id)


def read_by_documents(
    both: Int64[np.ndarray, "B T1"], end_id: int | None
) -> Batch:
    """Tokens and the tokens after them, and which document each is of.

    Args:
        both: what is read and one token more, for each row.
        end_id: the id that ends a document; None where nobody asks.

    Returns:
        Tokens and targets are views of ``both``.
    """
    tokens, targets = both[:, :-1], both[:, 1:]
    if end_id is None:
        return Batch(tokens=tokens, targets=targets)
    # An end is read as the beginning of what follows it.
    begins = tokens == end_id
    place = np.arange(tokens.shape[1], dtype=np.int32)
    last = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    return Batch(
        tokens=tokens,
        targets=targets,
        documents=np.cumsum(begins, axis=1, dtype=np.int32),
        positions=place - last.astype(np.int32),
    )


class PackedRows:
    """Whole documents, packed into rows of T by best fit.

    Each token of a document, its end included, is a target once. The model
    reads the end before a document's first token, so that it learns how
    documents begin. A document of more than T tokens is cut every T, and
    its parts but the last fill their rows.

    Args:
        shards: the documents, as shards or in memory.
        n_tokens: T, the length of a row.

    Raises:
        ValueError: ``n_tokens`` is below 1, or the documents have no end.
    """

    def __init__(self, shards: Tokens, n_tokens: int):
        _check_length(n_tokens)
        self.shards, self.n_tokens = shards, n_tokens
        self.documents = True
        self._end_id = _end_id(shards)
        starts = shards.document_starts()
        self._starts, self._lengths = cut_long(starts, n_tokens)
        packing = best_fit(self._lengths, n_tokens)
        self._order, self._bounds = packing

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @property
    def fingerprint(self) -> str:
        """A hash of what determines the rows."""
        return _hash("best fit", self.shards, self.n_tokens)

    def gather(self, numbers: Int[np.ndarray, "B"]) -> Batch:
        """The rows of these numbers."""
        begin = self._bounds[numbers]
        n_pieces = self._bounds[numbers + 1] - begin
        pieces = self._order[spans(begin, n_pieces)]
        starts, lengths = self._starts[pieces], self._lengths[pieces]
        # Where each piece begins, in rows laid end to end.
        row = np.repeat(np.arange(len(numbers)), n_pieces)
        filled = np.bincount(row, lengths, len(numbers)).astype(np.int64)
        padded = row * self.n_tokens - (np.cumsum(filled) - filled)[row]
        heads = np.cumsum(lengths) - lengths + padded
        places = spans(heads, lengths)
        size = len(numbers) * self.n_tokens
        targets = np.full(size, IGNORED, np.int64)
        targets[places] = self.shards.ranges(starts, lengths)
        tokens = np.empty(size, np.int64)
        tokens[1:] = targets[:-1]
        tokens[targets == IGNORED] = self._end_id
        tokens[heads] = self._before(starts)
        documents = np.full(size, -1, np.int32)
        documents[places] = np.repeat(spans(0 * begin, n_pieces), lengths)
        positions = np.zeros(size, np.int32)
        positions[places] = places - np.repeat(heads, lengths)
        shape = len(numbers), self.n_tokens
        return Batch(
            tokens=tokens.reshape(shape),
            targets=targets.reshape(shape),
            documents=documents.reshape(shape),
            positions=positions.reshape(shape),
        )

    def _before(self, starts: Numbers) -> Numbers:
        """The token before each position; an end before the first."""
        before = np.full(len(starts), self._end_id)
        inside = starts > 0
        one = np.ones(np.count_nonzero(inside), np.int64)
        before[inside] = self.shards.ranges(starts[inside] - 1, one)
        return before


def cut_long(
    starts: Int64[np.ndarray, "D1"], n_tokens: int
) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """Cut documents into pieces of at most ``n_tokens``.

    Args:
        starts: where each document begins, and where the last one ends.
        n_tokens: the longest piece.

    Returns:
        Where each piece begins, and its length.
    """
    lengths = np.diff(starts)
    n_pieces = -(-lengths // n_tokens)
    number = spans(lengths * 0, n_pieces)
    document = np.repeat(np.arange(len(lengths)), n_pieces)
    left = lengths[document] - number * n_tokens
    begins = starts[:-1][document] + number * n_tokens
    return begins, np.minimum(left, n_tokens)


def _check_length(n_tokens: int) -> None:
    if n_tokens < 1:
        raise ValueError(f"n_tokens is {n_tokens}; give 1 or more")


def _end_id(shards: Tokens) -> int:
    if shards.end_id is None:
        raise ValueError(
            f"the documents of {shards.name} have no end; write the shards "
            "with end_of_text"
        )
    return shards.end_id


def _hash(how: str, shards: Tokens, n_tokens: int) -> str:
    parts = f"{how} {n_tokens} {shards.fingerprint}"
    return hashlib.sha256(parts.encode()).hexdigest()
