"""Merging the bytes of many pieces at once. Chapter: book/text/tokenizer.md.

One row of an array is one piece. Each round merges, in every row, the pair of
the lowest rank, as :func:`scratchlm.text.bpe_merge.merge_piece` does for one.
"""

import numpy as np
from jaxtyping import Int, UInt8

from scratchlm.text.bpe_merge import MergeRules
from scratchlm.text.exact_table import ExactTable, Numbers

# Pieces below which a loop is sooner done than arrays are set up (guessed).
FEW = 150

_NOTHING = np.int64(2**62)  # the rank of a pair that does not merge


def token_ids(tokens: str) -> Numbers:
    """One id for each character, as numpy sees the string's UTF-32.

    Chapter: book/text/tokenizer.md.

    Args:
        tokens: one character ``chr(id)`` per token.
    """
    packed = tokens.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(packed, "<u4").astype(np.int64)


class ArrayMerger:
    """The merges of a vocabulary, applied to arrays of pieces.

    Chapter: book/text/tokenizer.md.

    Args:
        rules: the merges, as they apply to one piece.
    """

    def __init__(self, rules: MergeRules):
        self.one_by_one = rules.merge
        self.bytes = np.array([rules.bytes[byte] for byte in range(256)])
        self.products = token_ids(rules.products)
        pairs = token_ids("".join(rules.ranks)).astype(np.uint64)
        self.ranks = ExactTable(len(rules.ranks))
        self.ranks.add(pairs[::2], pairs[1::2], np.arange(len(rules.ranks)))

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
        column = np.arange(letters.shape[1])
        tokens, counts = self.bytes[letters], lengths.copy()
        ranks = np.full(letters.shape, _NOTHING)  # of a token and the next
        at = np.nonzero(column < lengths[:, None] - 1)
        ranks[at] = self._rank(tokens[at], tokens[at[0], at[1] + 1])
        merged, rows = tokens.copy(), np.arange(len(tokens))
        while len(rows):
            best = ranks.argmin(axis=1)
            lowest = ranks[np.arange(len(rows)), best]
            more = lowest < _NOTHING
            merged[rows[~more]] = tokens[~more]
            rows, tokens, ranks = rows[more], tokens[more], ranks[more]
            counts[rows] -= 1
            new = self.products[lowest[more]]
            self._replace(tokens, ranks, best[more], new, counts[rows])
        return merged[column < counts[:, None]], counts

    def _merge_few(
        self, letters: UInt8[np.ndarray, "n width"], lengths: Numbers
    ) -> tuple[Numbers, Numbers]:
        rows = zip(letters, lengths.tolist(), strict=True)
        merged = [self.one_by_one(row[:n].tobytes()) for row, n in rows]
        counts = np.array([*map(len, merged)], np.int64)
        return token_ids("".join(merged)), counts

    def _replace(
        self,
        tokens: Int[np.ndarray, "n width"],
        ranks: Int[np.ndarray, "n width"],
        best: Numbers,
        new: Numbers,
        counts: Numbers,
    ) -> None:
        """Put one token for two in each row, and rank its new pairs."""
        behind = np.arange(tokens.shape[1] - 1) >= best[:, None]
        for each in (tokens, ranks):
            np.copyto(each[:, :-1], each[:, 1:].copy(), where=behind)
        ranks[:, -1] = _NOTHING
        tokens[np.arange(len(new)), best] = new
        row = np.flatnonzero(best > 0)
        at = best[row] - 1
        ranks[row, at] = self._rank(tokens[row, at], new[row])
        row = np.flatnonzero(best + 1 < counts)
        at = best[row]
        ranks[row, at] = self._rank(new[row], tokens[row, at + 1])

    def _rank(self, left: Numbers, right: Numbers) -> Numbers:
        """The rank of each pair."""
        words = left.astype(np.uint64), right.astype(np.uint64)
        ranks = self.ranks.find(*words)
        return np.where(ranks < 0, _NOTHING, ranks)
