"""Every substring that a corpus repeats.

A substring of n + 1 characters is one of n characters and one more. So each
length gets its numbers from the length before, by a sort of whole arrays, and
what occurs once is dropped before it can grow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from scratchlm.foundation.arrays import Flags, Numbers


@dataclass(frozen=True, kw_only=True)
class Substrings:
    """The chosen substrings of a corpus, and where each stands.

    Args:
        texts: the substrings; all single characters of the corpus first.
        counts: how often each occurs.
        first: a place where each stands.
        table: the number of the substring of length n + 1 that begins at a
            place, in row n; -1 where that substring was not chosen.
        begins: the place where each piece begins, and the end of the last.
    """

    texts: list[str]
    counts: Int[np.ndarray, "V"]
    first: Int[np.ndarray, "V"]
    table: Int[np.ndarray, "longest n"]
    begins: Int[np.ndarray, "pieces_1"]


def frequent_substrings(
    piece_counts: Mapping[str, int], longest: int, limit: int
) -> Substrings:
    """Choose the substrings that cover most of the corpus.

    A substring that is followed by the same character wherever it stands is
    left out for the longer one.

    Args:
        piece_counts: how often each piece occurs in the corpus; none empty.
        longest: substrings have at most so many characters.
        limit: how many to choose besides the single characters, by their
            count times their length.

    Source: Kudo 2018, "Subword Regularization", section 3.2, takes them from
    a suffix array; counting by length finds the same ones.
    """
    text = "".join(piece_counts)
    lengths = np.array([len(piece) for piece in piece_counts], np.int64)
    begins = np.append(0, np.cumsum(lengths))
    weight = np.repeat(np.array([*piece_counts.values()]), lengths)
    room = np.repeat(begins[1:], lengths) - np.arange(len(text))
    rows = list(_by_length(text, weight, room, longest))
    scores = [(n + 1) * row.counts * row.keep for n, row in enumerate(rows)]
    floor = _cut_off(np.concatenate([scores[0][:0], *scores[1:]]), limit)
    table = np.full((longest, len(text)), -1, np.int64)
    texts: list[str] = []
    counts, first = [], []
    for n, (row, score) in enumerate(zip(rows, scores, strict=True)):
        keep = score > floor if n else row.keep
        numbers = np.where(keep, np.cumsum(keep) - 1 + len(texts), -1)
        table[n, row.at] = numbers[row.names]
        counts.append(row.counts[keep])
        first.append(row.first[keep])
        texts += [text[i : i + n + 1] for i in row.first[keep].tolist()]
    return Substrings(
        texts=texts,
        counts=np.concatenate(counts),
        first=np.concatenate(first),
        table=table,
        begins=begins,
    )


@dataclass(kw_only=True)
class _Row:
    """All repeated substrings of one length."""

    at: Numbers  # the places where one stands
    names: Numbers  # which one, from 0 on
    counts: Numbers
    first: Numbers
    keep: Flags


def _by_length(
    text: str, weight: Numbers, room: Numbers, longest: int
) -> list[_Row]:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    letters = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    base = int(letters.max()) + 1
    rows: list[_Row] = []
    at, key = np.arange(len(text)), letters
    for n in range(longest):
        found, first, names = np.unique(
            key, return_index=True, return_inverse=True
        )
        counts = np.bincount(names, weight[at]).astype(np.int64)
        repeated = (counts > 1) | (n == 0)
        if rows:
            # Where one continuation has the count of the whole, it is alone.
            parent = found // base
            alone = counts == rows[-1].counts[parent]
            rows[-1].keep[parent[alone]] = n == 1
        firsts = at[first[repeated]]
        number = np.cumsum(repeated) - 1
        stays = repeated[names]
        at, names = at[stays], number[names[stays]]
        counts = counts[repeated]
        keep = np.ones(len(counts), np.bool_)
        rows.append(
            _Row(at=at, names=names, counts=counts, first=firsts, keep=keep)
        )
        longer = room[at] > n + 1
        at = at[longer]
        if not len(at):
            break
        key = names[longer] * base + letters[at + n + 1]
    return rows


def _cut_off(scores: Numbers, limit: int) -> float:
    """What a score must exceed to be among the ``limit`` largest or tie
    with none that is left out; 0 where there is room for all."""
    scores = scores[scores > 0]
    if len(scores) <= limit:
        return 0.0
    return float(np.partition(scores, -limit - 1)[-limit - 1])
