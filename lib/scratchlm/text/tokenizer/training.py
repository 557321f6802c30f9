"""Learning merges from text.

The corpus shrinks to its distinct pieces and how often each occurs. Then each
merge touches only the pieces that hold the merged pair: an index says which
they are, and a heap says which pair comes next.
"""

import gc
import warnings
from collections import Counter, defaultdict
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from functools import partial
from heapq import heappop, heappush
from itertools import chain, islice
from operator import add
from typing import Any

from tqdm import tqdm

from scratchlm.foundation.arguments import not_one_string
from scratchlm.foundation.parallel import batches, n_workers, ordered_map
from scratchlm.text.tokenizer.merging import Pair
from scratchlm.text.tokenizer.patterns import (
    Cutter,
    PatternName,
    find_pattern,
)
from scratchlm.text.tokenizer.special_tokens import (
    Finder,
    SpecialTokens,
    find_any,
)


def train_bpe(  # noqa: PLR0913
    texts: Iterable[str],
    vocab_size: int,
    *,
    pattern: PatternName,
    special_tokens: Sequence[str],
    workers: int | None,
    progress: bool,
) -> dict[str, Any]:
    """Learn the fields of a tokenizer; its ``train`` says how and from what.

    Returns:
        The fields of a ``BPETokenizer``.
    """
    n_merges = _room_for_merges(texts, vocab_size, special_tokens)
    counts = count_pieces(
        texts, pattern, special_tokens=special_tokens, workers=workers
    )
    if not counts:
        raise ValueError("there is no text to train on: every text is empty")
    merges = learn_merges(counts, n_merges, progress=progress)
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [left + right for left, right in merges]
    special = SpecialTokens.following(special_tokens, len(tokens))
    if len(merges) < n_merges:
        warnings.warn(
            f"the text holds only {len(merges)} merges, so the vocabulary has "
            f"{len(tokens) + len(special_tokens)} tokens, not {vocab_size}; "
            "give more text or a smaller vocab_size",
            stacklevel=3,
        )
    return {
        "pattern": pattern,
        "vocab": {token: i for i, token in enumerate(tokens)},
        "merges": tuple(merges),
        "special_tokens": special.ids,
        "whole_pieces": True,
    }


def _room_for_merges(
    texts: Iterable[str], vocab_size: int, special_tokens: Sequence[str]
) -> int:
    SpecialTokens.following(special_tokens, 256)  # raises on bad ones
    n_merges = vocab_size - 256 - len(special_tokens)
    if n_merges < 0:
        raise ValueError(
            f"vocab_size is {vocab_size}, but the 256 bytes and "
            f"{len(special_tokens)} special tokens are "
            f"{256 + len(special_tokens)}; give at least as many"
        )
    not_one_string(texts)
    return n_merges


def count_pieces(
    texts: Iterable[str],
    pattern: PatternName,
    *,
    special_tokens: Collection[str] = (),
    workers: int | None = None,
) -> Counter[str]:
    """Count the pieces of a corpus, on several processes where it pays.

    Args:
        texts: the documents; no piece crosses from one into the next.
        pattern: a name or a regular expression, as ``find_pattern`` takes.
        special_tokens: where a text spells one, it is cut, and the spelling
            counts for nothing: no text will be encoded to its letters.
        workers: processes; None takes one per core. A corpus of one batch
            is counted in this process whatever the number.

    Returns:
        How often each piece occurs; the same whatever ``workers``.
    """
    special = find_any(frozenset(special_tokens))
    count = partial(_count_batch, find_pattern(pattern), special)
    workers = n_workers(workers)
    parts = batches(texts)
    first = list(islice(parts, 2))
    if len(first) < 2:
        workers = 1
    total: Counter[str] = Counter()
    for counter in ordered_map(count, chain(first, parts), workers):
        total.update(counter)
    return total


def learn_merges(
    piece_counts: Mapping[str, int], n_merges: int, *, progress: bool = False
) -> list[Pair]:
    """Learn merges, the most frequent pair first.

    Args:
        piece_counts: how often each piece occurs in the corpus.
        n_merges: how many merges to learn.
        progress: show a progress bar.

    Returns:
        The merges in order, fewer than ``n_merges`` where every piece has
        become one token. Of pairs equally frequent, the lexicographically
        greatest pair of byte strings comes first.

    Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of
    Rare Words with Subword Units", section 3.2.
    """
    merges: list[Pair] = []
    with _collector_paused():
        trainer = MergeTrainer(piece_counts)
        for _ in tqdm(range(n_merges), "merges", disable=not progress):
            merge = trainer.merge_most_frequent()
            if merge is None:
                break
            merges.append(merge)
    return merges


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Training makes no cycles, yet Python's collector would walk the lists
    of its index again and again (a quarter of the time, measured here)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class MergeTrainer:
    """The state of training between two merges.

    A word is a piece with one character per token, a pair two characters.

    Args:
        piece_counts: how often each piece occurs in the corpus.
    """

    def __init__(self, piece_counts: Mapping[str, int]):
        self.tokens = [bytes([byte]) for byte in range(256)]
        self.order = [_descending(token) for token in self.tokens]
        self.words = [_as_bytes(piece) for piece in piece_counts]
        self.counts = list(piece_counts.values())
        self.pair_counts: dict[str, int] = {}
        self.where: dict[str, list[int]] = {}  # the words that held a pair
        self.heap: list[tuple[int, str, str]] = []
        found: defaultdict[str, list[int]] = defaultdict(list)
        for i, word in enumerate(self.words):
            for pair in map(add, word, word[1:]):
                found[pair].append(i)
        self._register(found)

    def merge_most_frequent(self) -> Pair | None:
        """Merge the most frequent pair; None where no pair is left."""
        while self.heap:
            negative, order, pair = heappop(self.heap)
            count = self.pair_counts[pair]
            if count == -negative:
                break
            if count > 0:  # it has lost occurrences since it was pushed
                heappush(self.heap, (-count, order, pair))
        else:
            return None
        left, right = (self.tokens[ord(symbol)] for symbol in pair)
        new = chr(len(self.tokens))
        self.tokens.append(left + right)
        self.order.append(_descending(left + right))
        self._register(self._replace(pair, new))
        return left, right

    def _replace(self, pair: str, new: str) -> defaultdict[str, list[int]]:
        """Write a new symbol for a pair in all words; the pairs it forms."""
        words, counts, pair_counts = self.words, self.counts, self.pair_counts
        formed: defaultdict[str, list[int]] = defaultdict(list)
        for i in self.where.pop(pair):
            word = words[i]
            head, found, tail = word.partition(pair)
            if not found:
                continue  # an earlier merge took it, or this one just did
            words[i] = merged = word.replace(pair, new)
            if pair not in tail:
                if head:
                    pair_counts[head[-1] + pair[0]] -= counts[i]
                    formed[head[-1] + new].append(i)
                if tail:
                    pair_counts[pair[1] + tail[0]] -= counts[i]
                    formed[new + tail[0]].append(i)
                continue
            for old in map(add, word, word[1:]):
                pair_counts[old] -= counts[i]
            for now in map(add, merged, merged[1:]):
                if new in now:
                    formed[now].append(i)
                else:
                    pair_counts[now] += counts[i]
        del pair_counts[pair]
        return formed

    def _register(self, found: Mapping[str, list[int]]) -> None:
        """Take up pairs that no word held before, with where they stand."""
        for pair, where in found.items():
            count = sum(map(self.counts.__getitem__, where))
            order = self.order[ord(pair[0])] + self.order[ord(pair[1])]
            self.pair_counts[pair] = count
            self.where[pair] = where
            heappush(self.heap, (-count, order, pair))


def _descending(token: bytes) -> str:
    """A string that sorts in the opposite order of the byte strings.

    The sign at its end is above every byte, so that of two tokens one of
    which begins the other, the longer comes first.
    """
    return bytes(255 - byte for byte in token).decode("latin-1") + "\u0100"


def _as_bytes(piece: str) -> str:
    """A piece with one character per byte of its UTF-8 form."""
    return piece.encode().decode("latin-1")


def _count_batch(
    pattern: Cutter, special: Finder | None, texts: list[str]
) -> Counter[str]:
    """Cut distinct chunks only: far fewer than there are chunks."""
    chunks: Counter[str] = Counter()
    for text in texts:
        for part in special.split(text) if special else (text,):
            chunks.update(pattern.split(part))
    if not pattern.chunks:
        return chunks
    pieces: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for piece in pattern.pieces(chunk):
            pieces[piece] += count
    return pieces
