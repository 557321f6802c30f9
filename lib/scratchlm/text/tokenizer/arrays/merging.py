"""Merging the bytes of many pieces at once.

One column of an array is one piece. Each round merges, in every column, the
pair of the lowest rank, as
:func:`scratchlm.text.tokenizer.merging.merge_piece` does for one piece.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32, UInt8

from scratchlm.foundation.arrays import Numbers
from scratchlm.text.tokenizer.arrays.table import ExactTable
from scratchlm.text.tokenizer.merging import MergeRules, token_ids

# Pieces below which a loop is sooner done than arrays are set up (measured
# here: the two ways meet there for short pieces and for long ones).
FEW = 150

_EDGE = np.int32(-1)  # where a column has no token
_NOTHING = np.int32(2**31 - 1)  # the order of a pair that does not merge


class PieceColumns(NamedTuple):
    """Pieces side by side, each between two edges.

    Args:
        tokens: (R, N) ids, and -1 where there is none.
        order: (R, N) for a token and the next in its column, the rank of the
            pair times R plus the row, so that the least of a column is the
            pair that merges first, the leftmost of equals.
    """

    tokens: Int32[np.ndarray, "rows n"]
    order: Int32[np.ndarray, "rows n"]


class ArrayMerger:
    """The merges of a vocabulary, applied to arrays of pieces.

    Args:
        rules: the merges, as they apply to one piece.
    """

    def __init__(self, rules: MergeRules):
        self.one_by_one = rules.merge
        bytes_in_order = [rules.bytes[byte] for byte in range(256)]
        self.bytes = np.array(bytes_in_order, np.int32)
        self.products = token_ids(rules.products).astype(np.int32)
        pairs = token_ids("".join(rules.ranks)).astype(np.uint64)
        self.ranks = ExactTable(len(rules.ranks))
        ranks = np.array([*rules.ranks.values()], np.int64)
        self.ranks.add(pairs[::2], pairs[1::2], ranks)
        first, second = np.divmod(np.arange(1 << 16), 256)
        self.byte_ranks = self._rank(self.bytes[first], self.bytes[second])

    def merge(
        self, letters: UInt8[np.ndarray, "n width"], lengths: Numbers
    ) -> tuple[Numbers, Numbers]:
        """Merge N pieces until no pair of any is left.

        Args:
            letters: (N, W) bytes; a row is a piece and whatever fills it up.
            lengths: (N,) how many bytes of a row are the piece, 1 to W.

        Returns:
            The tokens of all pieces, one piece after the other, and (N,) how
            many of them each piece has.
        """
        if len(letters) < FEW:
            return self._merge_few(letters, lengths)
        columns = self._set_out(np.ascontiguousarray(letters.T), lengths)
        n_rows, n = columns.tokens.shape
        tokens, order = (each.reshape(-1) for each in columns)
        places = np.arange(tokens.size)
        before, after = places - n, places + n
        while True:
            best = columns.order.min(axis=0)
            piece = np.flatnonzero(best < _NOTHING)
            if not len(piece):
                break
            rank, row = np.divmod(best.take(piece), n_rows)
            at = row * n + piece
            gone = after.take(at)
            left, right = before.take(at), after.take(gone)
            tokens[at] = new = self.products[rank]
            tokens[gone], order[gone] = _EDGE, _NOTHING
            after[at], before[right] = right, at
            ranks = self._rank(tokens.take(left), new)
            order[left] = _in_order(ranks, left // n, n_rows)
            ranks = self._rank(new, tokens.take(right))
            order[at] = _in_order(ranks, row, n_rows)
        there = columns.tokens.T != _EDGE
        merged = columns.tokens.T[there].astype(np.int64)
        return merged, there.sum(axis=1)

    def _set_out(
        self, letters: UInt8[np.ndarray, "width n"], lengths: Numbers
    ) -> PieceColumns:
        """The bytes of each piece, an edge above and an edge below."""
        width, n = letters.shape
        columns = PieceColumns(
            np.full((width + 2, n), _EDGE), np.full((width + 2, n), _NOTHING)
        )
        row = np.arange(width)[:, None]
        columns.tokens[1:-1] = np.where(
            row < lengths, self.bytes.take(letters), _EDGE
        )
        pairs = letters[:-1] * np.int32(256) + letters[1:]
        columns.order[1:-2] = np.where(
            row[1:] < lengths,
            _in_order(self.byte_ranks.take(pairs), row[1:], width + 2),
            _NOTHING,
        )
        return columns

    def _merge_few(
        self, letters: UInt8[np.ndarray, "n width"], lengths: Numbers
    ) -> tuple[Numbers, Numbers]:
        rows = zip(letters, lengths.tolist(), strict=True)
        merged = [self.one_by_one(row[:n].tobytes()) for row, n in rows]
        counts = np.array([*map(len, merged)], np.int64)
        return token_ids("".join(merged)), counts

    def _rank(
        self, left: Int32[np.ndarray, "_"], right: Int32[np.ndarray, "_"]
    ) -> Numbers:
        """The rank of each pair, and -1 where it does not merge."""
        return self.ranks.find(left.astype(np.uint64), right.astype(np.uint64))


def _in_order(
    ranks: Int[np.ndarray, "*_"], row: Int[np.ndarray, "*_"], n_rows: int
) -> Int32[np.ndarray, "*_"]:
    return np.where(ranks < 0, _NOTHING, ranks * n_rows + row).astype(np.int32)
