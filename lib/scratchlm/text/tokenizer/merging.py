"""Merging the bytes of one piece.

A sequence of tokens is held as a Python string with one character per token:
``chr(id)``. A string is an array of small integers, and two characters of it
are a pair, ready to be looked up.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from operator import add
from sys import maxunicode

import numpy as np

from scratchlm.foundation.arrays import Numbers

Pair = tuple[bytes, bytes]

# Above this many symbols the heap wins (measured here: the two ways meet
# between 50 and 100 letters).
HEAP_WINS = 64


def merge_piece(symbols: str, ranks: Mapping[str, int], products: str) -> str:
    """Merge pairs in the order of their ranks until no pair is left.

    Args:
        symbols: the piece, one character per token.
        ranks: the rank of each pair, written as two characters; the lowest
            merges first.
        products: at the index of a rank, the token that its pair becomes.

    Returns:
        The merged piece, one character per token.
    """
    if len(symbols) > HEAP_WINS:
        return merge_long_piece(symbols, ranks, products)
    nothing = len(products)  # a rank for pairs that do not merge
    tokens = list(symbols)
    pairs = map(add, symbols, symbols[1:])
    waiting = [ranks.get(pair, nothing) for pair in pairs]
    while waiting and (best := min(waiting)) < nothing:
        i = waiting.index(best)
        new = tokens[i] = products[best]
        del tokens[i + 1], waiting[i]
        if i > 0:
            waiting[i - 1] = ranks.get(tokens[i - 1] + new, nothing)
        if i < len(waiting):
            waiting[i] = ranks.get(new + tokens[i + 1], nothing)
    return "".join(tokens)


def merge_long_piece(
    symbols: str, ranks: Mapping[str, int], products: str
) -> str:
    """Do what :func:`merge_piece` does, in n log n steps instead of n².

    A linked list holds the symbols, a heap the pairs that may merge, lowest
    rank first and, within a rank, leftmost first.
    """
    tokens: list[str] = list(symbols)  # "" once merged into its left
    before = list(range(-1, len(tokens) - 1))
    after = list(range(1, len(tokens) + 1))
    pairs = enumerate(map(add, symbols, symbols[1:]))
    heap = [(ranks[pair], i) for i, pair in pairs if pair in ranks]
    heapify(heap)
    while heap:
        rank, i = heappop(heap)
        j = after[i]
        if j == len(tokens) or ranks.get(tokens[i] + tokens[j]) != rank:
            continue  # a neighbour merged first
        tokens[i], tokens[j] = products[rank], ""
        k = after[i] = after[j]
        if k < len(tokens):
            before[k] = i
        for left, right in ((before[i], i), (i, k)):
            if left >= 0 and right < len(tokens):
                rank = ranks.get(tokens[left] + tokens[right], -1)
                if rank >= 0:
                    heappush(heap, (rank, left))
    return "".join(tokens)


def token_ids(tokens: str) -> Numbers:
    """One id for each character, as numpy sees the string's UTF-32.

    Args:
        tokens: one character ``chr(id)`` per token.
    """
    packed = tokens.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(packed, "<u4").astype(np.int64)


class MergeRules:
    """The merges of a vocabulary, ready to apply to a piece.

    Args:
        vocab: the id of each token; all 256 single bytes are among them.
        merges: pairs of tokens, the first to merge first.
        whole_pieces: a piece that is a token becomes it without merging.
            The result is the same where the vocabulary was trained, since
            a token's own bytes always merge to it, and comes sooner.

    Raises:
        ValueError: a byte is missing, an id is not usable or given twice, or
            a merge names no token.
    """

    def __init__(
        self,
        vocab: Mapping[bytes, int],
        merges: Sequence[Pair],
        whole_pieces: bool = False,
    ):
        _check_ids(vocab)
        _check_merges(vocab, merges)
        self.symbols = {token: chr(i) for token, i in vocab.items()}
        self.whole = self.symbols if whole_pieces else {}
        self.bytes = {b: vocab[bytes([b])] for b in range(256)}
        self.in_order = all(b == i for b, i in self.bytes.items())
        self.products = "".join(self.symbols[a + b] for a, b in merges)
        self.ranks = {
            self.symbols[left] + self.symbols[right]: rank
            for rank, (left, right) in enumerate(merges)
        }

    def apply(self, piece: bytes) -> str:
        """The tokens of a piece, one character ``chr(id)`` per token."""
        whole = self.whole.get(piece)
        return whole or self.merge(piece)

    def merge(self, piece: bytes) -> str:
        """What :meth:`apply` does where the piece is no token."""
        symbols = piece.decode("latin-1")
        if not self.in_order:
            symbols = symbols.translate(self.bytes)
        return merge_piece(symbols, self.ranks, self.products)

    def all_reachable(self) -> bool:
        """Whether the bytes of every token merge to that token alone."""
        return all(
            self.merge(token) == symbol
            for token, symbol in self.symbols.items()
        )


def _check_ids(vocab: Mapping[bytes, int]) -> None:
    missing = [b for b in range(256) if bytes([b]) not in vocab]
    if missing:
        raise ValueError(
            f"the vocabulary lacks {len(missing)} of the 256 bytes, the first "
            f"is {missing[0]:#04x}; text with them could not be encoded: use "
            "a byte-level vocabulary"
        )
    wrong = [i for i in vocab.values() if not 0 <= i <= maxunicode]
    if wrong:
        raise ValueError(
            f"token id {wrong[0]} is not usable; ids are 0 to {maxunicode}"
        )
    if len(set(vocab.values())) < len(vocab):
        raise ValueError("two tokens of the vocabulary have the same id")


def _check_merges(vocab: Mapping[bytes, int], merges: Sequence[Pair]) -> None:
    """The order may be any: a merge before those that make its parts waits
    until they have made them, as in the published vocabularies that list
    every cut of a token as a merge."""
    for i, (left, right) in enumerate(merges):
        for token in (left, right, left + right):
            if token not in vocab:
                raise ValueError(
                    f"merge {i}, {left!r} + {right!r}, needs the token "
                    f"{token!r}, which the vocabulary lacks"
                )
