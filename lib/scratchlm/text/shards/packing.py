"""Documents into rows of one length."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int64

from scratchlm.foundation.arrays import Numbers


class Packing(NamedTuple):
    """Which pieces share a row.

    Args:
        order: the pieces, row by row.
        bounds: where each row begins in ``order``, and where the last ends.
    """

    order: Int64[np.ndarray, "n"]
    bounds: Int64[np.ndarray, "rows1"]


def best_fit(lengths: Int[np.ndarray, "n"], capacity: int) -> Packing:
    """Pack pieces into rows, the longest first, each where it fits tightest.

    Pieces of one length are placed together, and rows with one amount of
    room left are interchangeable, so that a step handles a bucket of rows
    and not a piece.

    Args:
        lengths: of the pieces, 1 to ``capacity``.
        capacity: of a row.

    Returns:
        Rows as full as best-fit decreasing fills them, one piece after
        another; about 24 bytes of memory a piece.

    Raises:
        ValueError: a length is out of range.

    Source: Ding et al. 2024, "Fewer Truncations Improve Language Modeling",
    section 3.
    """
    if len(lengths) and not 1 <= lengths.min() <= lengths.max() <= capacity:
        raise ValueError(
            f"pieces have 1 to {capacity} tokens, and these have "
            f"{lengths.min()} to {lengths.max()}; cut the longer ones"
        )
    rows = _Rows(capacity)
    row_of = np.empty(len(lengths), np.int64)
    longest_first = np.argsort(-lengths.astype(np.int64), kind="stable")
    counts = np.bincount(lengths, minlength=capacity + 1)
    done = 0
    for length in np.flatnonzero(counts)[::-1].tolist():
        pieces = longest_first[done : done + int(counts[length])]
        row_of[pieces] = rows.place(length, len(pieces))
        done += len(pieces)
    order = np.argsort(row_of, kind="stable")
    bounds = np.searchsorted(row_of[order], np.arange(rows.n_rows + 1))
    return Packing(order, bounds.astype(np.int64))


class _Rows:
    """Rows in buckets, by the room that they have left."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.n_rows = 0
        self.buckets: list[list[Numbers]] = [[] for _ in range(capacity + 1)]
        self.sizes = np.zeros(capacity + 1, np.int64)

    def place(self, length: int, n_pieces: int) -> Int64[np.ndarray, "n"]:
        """The rows of so many pieces of one length."""
        placed = []
        while n_pieces:
            fitting = np.flatnonzero(self.sizes[length:])
            if len(fitting):
                room = length + int(fitting[0])  # the tightest
                rows = np.concatenate(self.buckets[room])
                self._set(room, rows[:0])
            else:
                room = self.capacity
                n_new = -(-n_pieces // (room // length))
                rows = np.arange(self.n_rows, self.n_rows + n_new)
                self.n_rows += n_new
            # A row that fits tightest fits tighter still with a piece in it,
            # so it takes pieces until no further one fits.
            each = room // length
            full, rest = divmod(n_pieces, each)
            used, spare = rows[:full], rows[full:]
            placed.append(np.repeat(used, each))
            self._add(room - each * length, used)
            n_pieces -= each * len(used)
            if rest and len(spare):
                placed.append(np.repeat(spare[:1], rest))
                self._add(room - rest * length, spare[:1])
                spare, n_pieces = spare[1:], 0
            self._add(room, spare)
        return np.concatenate(placed)

    def _set(self, room: int, rows: Numbers) -> None:
        self.buckets[room] = [rows] if len(rows) else []
        self.sizes[room] = len(rows)

    def _add(self, room: int, rows: Numbers) -> None:
        if len(rows) and room:
            self.buckets[room].append(rows)
            self.sizes[room] += len(rows)


def document_mask(
    documents: Int[np.ndarray, "B T"],
) -> Bool[np.ndarray, "B T T"]:
    """Which positions each position may look at.

    Args:
        documents: the document of each position, as in
            :class:`scratchlm.text.shards.rows.Batch`; -1 is padding.

    Returns:
        True where query ``t`` may see key ``s``: not later, and of the same
        document. A padded position sees itself alone, since a softmax over
        nothing is not a number.
    """
    n_tokens = documents.shape[1]
    causal = np.tri(n_tokens, dtype=bool)
    same = documents[:, :, None] == documents[:, None, :]
    real = documents[:, :, None] >= 0
    own = np.eye(n_tokens, dtype=bool)
    return np.asarray(same & real & causal | own)
