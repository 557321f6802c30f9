"""Merging characters by the score of what they become.

Byte-level encoding has a list of pairs. sentencepiece keeps no pairs: two
neighbours merge where their joined text is a token, and the token with the
highest score comes first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

from scratchlm.text.tokenizer.special_tokens import find_any

# How late two neighbours merge, None where they never do.
Rank = Callable[[str, str], float | int | None]


def merge_symbols(symbols: list[str], rank: Rank) -> list[str]:
    """Merge neighbours, the lowest rank first and of equal ones the leftmost.

    Args:
        symbols: the strings to merge, none empty.
        rank: as described above.

    Returns:
        The strings that are left; joined, they are the text as before.

    A linked list holds the symbols and a heap the pairs, so that n symbols
    take in the order of n log n steps.
    """
    symbols = list(symbols)  # "" once merged into its left
    before = list(range(-1, len(symbols) - 1))
    after = list(range(1, len(symbols) + 1))
    ranked = (
        (rank(a, b), i, a + b) for i, (a, b) in enumerate(pairwise(symbols))
    )
    heap = [(r, i, joined) for r, i, joined in ranked if r is not None]
    heapify(heap)
    while heap:
        _, i, joined = heappop(heap)
        j = after[i]
        if j == len(symbols) or symbols[i] + symbols[j] != joined:
            continue  # a neighbour merged first
        symbols[i], symbols[j] = joined, ""
        k = after[i] = after[j]
        if k < len(symbols):
            before[k] = i
        for left, right in ((before[i], i), (i, k)):
            if left >= 0 and right < len(symbols):
                a, b = symbols[left], symbols[right]
                r = rank(a, b)
                if r is not None:
                    heappush(heap, (r, left, a + b))
    return [symbol for symbol in symbols if symbol]


@dataclass(frozen=True, kw_only=True)
class ScoredMerges:
    """Merges as sentencepiece makes them.

    Args:
        scores: the score of each token; the highest merges first.
        symbols: tokens that are found whole before anything merges, and
            that merge with nothing.
        unused: tokens that fall apart again at the end.

    Source: Kudo and Richardson 2018, "SentencePiece", section 3.1.
    """

    scores: Mapping[str, float] = field(repr=False)
    symbols: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()

    def spell(self, piece: str) -> list[str]:
        """The tokens of a piece, and characters that are none."""
        tokens: list[str] = []
        end = 0
        finder = find_any(self.symbols)
        for found in finder.finditer(piece) if finder else ():
            tokens += self._merge(piece[end : found.start()])
            tokens.append(found.group())
            end = found.end()
        return tokens + self._merge(piece[end:])

    def identity(self) -> Any:
        """All that determines the tokens, as JSON can hold it."""
        return [
            "scored",
            sorted((token, s.hex()) for token, s in self.scores.items()),
            [sorted(self.symbols), sorted(self.unused)],
        ]

    @cached_property
    def made(self) -> frozenset[str]:
        """Every token that a merge makes, or that is found whole."""
        return self.symbols.union(self.scores)

    def _merge(self, text: str) -> list[str]:
        halves: dict[str, tuple[str, str]] = {}

        def rank(left: str, right: str) -> float | None:
            score = self.scores.get(left + right)
            if score is None:
                return None
            if left + right in self.unused:
                halves[left + right] = left, right
            return -score

        merged = merge_symbols(list(text), rank)
        return self._apart(merged, halves) if halves else merged

    def _apart(
        self, merged: list[str], halves: dict[str, tuple[str, str]]
    ) -> list[str]:
        """Undo the merges that made unused tokens."""
        waiting, kept = merged[::-1], []
        while waiting:
            token = waiting.pop()
            if token in halves:
                waiting += halves[token][::-1]
            else:
                kept.append(token)
        return kept


@dataclass(frozen=True, kw_only=True)
class RankedMerges:
    """Merges as Hugging Face's libraries keep them.

    Args:
        pairs: what merges, first to merge first.
        whole: tokens that a piece becomes without merging.
    """

    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    whole: frozenset[str] = field(default=frozenset(), repr=False)

    def spell(self, piece: str) -> list[str]:
        """The tokens of a piece, and characters that are none."""
        if piece in self.whole:
            return [piece]
        ranks = self._ranks

        def rank(left: str, right: str) -> int | None:
            return ranks.get((left, right))

        return merge_symbols(list(piece), rank)

    def identity(self) -> Any:
        """All that determines the tokens, as JSON can hold it."""
        return ["ranked", list(self.pairs), sorted(self.whole)]

    @cached_property
    def made(self) -> frozenset[str]:
        """Every token that a merge makes, or that is found whole."""
        return self.whole.union(a + b for a, b in self.pairs)

    @cached_property
    def _ranks(self) -> dict[tuple[str, str], int]:
        return {pair: i for i, pair in enumerate(self.pairs)}
