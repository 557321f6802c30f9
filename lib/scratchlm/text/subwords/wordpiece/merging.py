"""Merging the pair of the largest gain.

As in byte-pair encoding a pair of neighbours merges again and again. Which
one, a criterion decides: a function from the counts of pairs to numbers of
which the largest wins. None of the three here rises for a pair while its own
two tokens keep their counts, on which the trainer relies: a merge changes few
counts, and of the other pairs the criterion can only have fallen.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import add
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from scratchlm.foundation.arrays import Flags, Numbers

TokenPair: TypeAlias = tuple[str, str]
Gains: TypeAlias = Float[np.ndarray, "_"]


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """What a criterion may look at.

    Args:
        both: how often each pair occurs; in *aaa*, the pair (a, a) twice.
        left: how often its left token occurs.
        right: how often its right token occurs.
        same: whether the two are the same token.
        total: tokens in the corpus.
    """

    both: Numbers
    left: Numbers
    right: Numbers
    same: Flags
    total: int


Criterion: TypeAlias = Callable[[PairCounts], Gains]


def likelihood(counts: PairCounts) -> Gains:
    """The gain in log-likelihood when a pair becomes one token, in nats.

    Source: Schuster and Nakajima 2012, "Japanese and Korean Voice Search",
    who name the criterion; the formula is derived in the chapter.
    """
    both, left, right = counts.both, counts.left, counts.right
    shrinks = _x_log_x(left - both) - _x_log_x(left)
    shrinks_too = _x_log_x(right - both) - _x_log_x(right)
    alone = _x_log_x(left - 2 * both) - _x_log_x(left)
    total = np.array([counts.total])
    fewer = _x_log_x(total) - _x_log_x(total - both)
    parts = np.where(counts.same, alone, shrinks + shrinks_too)
    gains: Gains = parts + (_x_log_x(both) + fewer)
    return gains


def ratio(counts: PairCounts) -> Gains:
    """How much more often a pair occurs than by chance, up to a factor."""
    gains: Gains = counts.both / (counts.left * counts.right)
    return gains


def frequency(counts: PairCounts) -> Gains:
    """How often a pair occurs: byte-pair encoding's criterion."""
    return counts.both.astype(np.float64)


CRITERIA: dict[str, Criterion] = {
    "likelihood": likelihood,
    "ratio": ratio,
    "frequency": frequency,
}


def _x_log_x(count: Numbers) -> Gains:
    """The term of a count in the log-likelihood; 0 at 0 (and below, which
    the overlapping pairs of *aaa* can reach)."""
    x = np.maximum(count, 0).astype(np.float64)
    term: Gains = x * np.log(np.maximum(x, 1.0))
    return term


def joined(left: str, right: str) -> str:
    """The token that a pair becomes: the right one loses its mark."""
    return left + right[2:]


class PairTrainer:
    """The state of training between two merges.

    A word is a piece with one character per token, a pair two characters.
    A stored gain may be out of date, but only too high: a merge that can
    raise the gain of a pair holds one of its tokens, and refreshes it.

    Args:
        piece_counts: how often each piece occurs in the corpus.
        criterion: the gain of pairs from their counts.
        min_count: pairs that occur less often do not merge.
    """

    def __init__(
        self,
        piece_counts: Mapping[str, int],
        criterion: Criterion,
        min_count: int,
    ):
        self.criterion, self.min_count = criterion, min_count
        alphabet = sorted(set().union(*piece_counts))
        self.tokens = alphabet + ["##" + c for c in alphabet]
        first = {ord(c): chr(i) for i, c in enumerate(alphabet)}
        n = len(alphabet)
        later = {ord(c): chr(n + i) for i, c in enumerate(alphabet)}
        self.words = [
            piece[:1].translate(first) + piece[1:].translate(later)
            for piece in piece_counts
        ]
        self.counts = list(piece_counts.values())
        occurs: Counter[str] = Counter()
        found: defaultdict[str, list[int]] = defaultdict(list)
        for i, word in enumerate(self.words):
            for symbol in word:
                occurs[symbol] += self.counts[i]
            for pair in map(add, word, word[1:]):
                found[pair].append(i)
        self.occurs = np.zeros(2 * len(self.tokens) + 64, np.int64)
        for symbol, count in occurs.items():
            self.occurs[ord(symbol)] = count
        self.total = occurs.total()
        self.index: dict[str, int] = {}  # a pair's place in the arrays
        self.where: dict[str, list[int]] = {}  # the words that held a pair
        self.left = self.right = self.both = np.zeros(0, np.int64)
        self.gain = np.zeros(0)
        self._register(found)

    def merge_best(self) -> TokenPair | None:
        """Merge the pair of the largest gain; None where no gain is left."""
        pair = self._best()
        if pair is None:
            return None
        left, right = (self.tokens[ord(symbol)] for symbol in pair)
        self.tokens.append(joined(left, right))
        if len(self.tokens) > len(self.occurs):
            self.occurs = np.append(self.occurs, np.zeros_like(self.occurs))
        formed = self._replace(pair, len(self.tokens) - 1)
        self.both[self.index[pair]] = 0
        touched = np.zeros(len(self.gain), np.bool_)
        for symbol in map(ord, set(pair)):
            touched |= (self.left == symbol) | (self.right == symbol)
        self._refresh(np.flatnonzero(touched))
        self._register(formed)
        return left, right

    def _best(self) -> str | None:
        """The pair of the largest gain, brought up to date."""
        while len(self.gain):
            promised = self.gain.max()
            if promised <= 0:
                break
            top = np.flatnonzero(self.gain == promised)
            self._refresh(top)
            if (self.gain[top] == promised).all():
                pairs = (self._pair(i) for i in top.tolist())
                return max(pairs, key=self._order)
        return None

    def _pair(self, i: int) -> str:
        return chr(self.left[i]) + chr(self.right[i])

    def _order(self, pair: str) -> TokenPair:
        return self.tokens[ord(pair[0])], self.tokens[ord(pair[1])]

    def _refresh(self, at: Numbers) -> None:
        """Compute some gains anew."""
        left, right = self.left[at], self.right[at]
        counts = PairCounts(
            both=self.both[at],
            left=self.occurs[left],
            right=self.occurs[right],
            same=left == right,
            total=self.total,
        )
        enough = counts.both >= self.min_count
        with np.errstate(divide="ignore", invalid="ignore"):
            self.gain[at] = np.where(enough, self.criterion(counts), -np.inf)

    def _replace(self, pair: str, new: int) -> dict[str, list[int]]:
        """Write a new symbol for a pair in all words; the pairs it forms."""
        formed: defaultdict[str, list[int]] = defaultdict(list)
        changes: defaultdict[str, int] = defaultdict(int)
        symbol, merged = chr(new), 0
        for i in self.where.pop(pair):
            word, count = self.words[i], self.counts[i]
            places = word.count(pair)
            if not places:
                continue  # an earlier merge took it, or this one just did
            merged += places * count
            self.words[i] = now = word.replace(pair, symbol)
            for old in map(add, word, word[1:]):
                changes[old] -= count
            for kept in map(add, now, now[1:]):
                if symbol in kept:
                    formed[kept].append(i)
                else:
                    changes[kept] += count
        for old, change in changes.items():
            at = self.index.get(old)
            if at is not None:
                self.both[at] += change
        for part in pair:
            self.occurs[ord(part)] -= merged
        self.occurs[new] = merged
        self.total -= merged
        return formed

    def _register(self, found: Mapping[str, list[int]]) -> None:
        """Take up pairs that no word held before and that may ever merge."""
        sums = {
            pair: count
            for pair, where in found.items()
            if (count := sum(map(self.counts.__getitem__, where)))
            >= self.min_count
            and self._is_plain(pair)
        }
        at = np.arange(len(self.gain), len(self.gain) + len(sums))
        self.index |= dict(zip(sums, at.tolist(), strict=True))
        self.where |= {pair: found[pair] for pair in sums}
        parts = np.array([[*map(ord, pair)] for pair in sums], np.int64)
        self.left = np.append(self.left, parts.reshape(-1, 2)[:, 0])
        self.right = np.append(self.right, parts.reshape(-1, 2)[:, 1])
        both = np.array([*sums.values()], np.int64)
        self.both = np.append(self.both, both)
        self.gain = np.append(self.gain, np.zeros(len(sums)))
        self._refresh(at)

    def _is_plain(self, pair: str) -> bool:
        """Whether the merged token cannot be taken for a continuing one."""
        left, right = self._order(pair)
        return left.startswith("##") or not joined(left, right).startswith(
            "##"
        )
