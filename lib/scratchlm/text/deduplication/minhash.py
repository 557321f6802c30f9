"""Sets to signatures that agree where sets do."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64, UInt32

from scratchlm.foundation.arrays import spans
from scratchlm.foundation.bits import spread
from scratchlm.text.deduplication.shingles import Shingles, shingle

# Shingles that one step of numpy permutes: two arrays of them fit into a
# core's cache (measured here: 0.10 ns a value, 0.25 at an eighth of it).
SHINGLES_AT_ONCE = 1 << 16
TEXT_BLOCK = 1 << 19  # characters shingled together, about as many bytes

Shares: TypeAlias = Float64[np.ndarray, "n_pairs"]

NOTHING = np.uint32(0xFFFFFFFF)  # the signature of a text without shingles


def multipliers(n_hashes: int, seed: int = 0) -> UInt32[np.ndarray, "n"]:
    """Draw the odd numbers that stand for permutations.

    Args:
        n_hashes: how many, at least 1.
        seed: draws others; equal on every platform and version of numpy.

    Raises:
        ValueError: fewer than 1, or a seed below 0.
    """
    if n_hashes < 1 or seed < 0:
        raise ValueError(
            f"n_hashes is {n_hashes} and seed {seed}; give n_hashes of 1 or "
            "more and a seed of 0 or more"
        )
    start = spread(np.array([seed % 2**64], np.uint64))
    drawn = spread(start + np.arange(1, n_hashes + 1, dtype=np.uint64))
    return (drawn >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def signatures(
    texts: Sequence[str],
    n_hashes: int = 112,
    *,
    size: int = 5,
    unit: str = "words",
    seed: int = 0,
) -> UInt32[np.ndarray, "n_docs n_hashes"]:
    """Sign each text, so that signatures agree as often as texts overlap.

    Args:
        texts: the documents; their signatures do not depend on each other.
        n_hashes: values in a signature.
        size: units in a shingle, as :func:`shingle` takes it.
        unit: what a shingle is made of, as :func:`shingle` takes it.
        seed: of the permutations.

    Returns:
        A row for each text; all ones in every bit for one without shingles.

    Source: Broder 1997, "On the Resemblance and Containment of Documents".
    """
    parts = [
        sign(shingle(block, size, unit), n_hashes, seed)
        for block in text_blocks(texts)
    ]
    return np.concatenate([np.empty((0, n_hashes), np.uint32), *parts])


def sign(
    shingles: Shingles, n_hashes: int, seed: int = 0
) -> UInt32[np.ndarray, "n_docs n_hashes"]:
    """Take, for each permutation, the least value in each set.

    A permutation of the 32-bit words is a multiplication by an odd number,
    modulo 2**32. Zero would come first in all of them, so no key is zero.

    Source: Dietzfelbinger et al. 1997, "A Reliable Randomized Algorithm for
    the Closest-Pair Problem", section 2 (the family of multiplications).
    """
    keys = (shingles.hashes >> np.uint64(32)).astype(np.uint32)
    np.maximum(keys, 1, out=keys)
    counts = np.diff(shingles.offsets)
    filled = np.flatnonzero(counts)
    starts = shingles.offsets[:-1][filled]
    least = np.full((n_hashes, len(filled)), NOTHING, np.uint32)
    factors = multipliers(n_hashes, seed)
    for low in range(0, len(keys), SHINGLES_AT_ONCE):
        block = keys[low : low + SHINGLES_AT_ONCE]
        first = np.searchsorted(starts, low, "right") - 1
        last = np.searchsorted(starts, low + SHINGLES_AT_ONCE)
        begins = np.maximum(starts[first:last] - low, 0)
        permuted = np.empty_like(block)
        for row, factor in zip(least, factors, strict=True):
            np.multiply(block, factor, out=permuted)
            found = np.minimum.reduceat(permuted, begins)
            np.minimum(row[first:last], found, out=row[first:last])
    signed = np.full((len(counts), n_hashes), NOTHING, np.uint32)
    signed[filled] = least.T
    return signed


def text_blocks(texts: Sequence[str]) -> list[Sequence[str]]:
    """Cut a sequence of texts where ``TEXT_BLOCK`` characters are reached."""
    blocks = []
    start = held = 0
    for i, text in enumerate(texts):
        held += len(text)
        if held >= TEXT_BLOCK:
            blocks.append(texts[start : i + 1])
            start, held = i + 1, 0
    if start < len(texts):
        blocks.append(texts[start:])
    return blocks


def distinct(shingles: Shingles) -> Shingles:
    """Each shingle of a text once, in rising order. A set, that is."""
    counts = np.diff(shingles.offsets)
    owner = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((shingles.hashes, owner))
    hashes, owner = shingles.hashes[order], owner[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
    counts = np.bincount(owner[new], minlength=len(counts))
    offsets = np.append(0, np.cumsum(counts)).astype(np.int64)
    return Shingles(hashes[new], offsets)


def jaccard(sets: Shingles, pairs: Int64[np.ndarray, "n_pairs 2"]) -> Shares:
    """The exact similarity of pairs of sets: common over all members.

    Args:
        sets: as :func:`distinct` returns them.
        pairs: the two numbers of each pair. A pair of empty sets has 0.
    """
    counts = np.diff(sets.offsets)[pairs]
    common = np.zeros(len(pairs), np.int64)
    for low, high in _pair_blocks(counts.sum(1)):
        sizes = counts[low:high].ravel()
        begins = sets.offsets[pairs[low:high].ravel()]
        place = spans(begins, sizes)
        owner = np.repeat(np.arange(2 * (high - low)) // 2, sizes)
        hashes = sets.hashes[place]
        order = np.lexsort((hashes, owner))
        hashes, owner = hashes[order], owner[order]
        twice = (hashes[1:] == hashes[:-1]) & (owner[1:] == owner[:-1])
        common[low:high] = np.bincount(owner[1:][twice], minlength=high - low)
    union = np.maximum(counts.sum(1) - common, 1)
    shares: Shares = common / union
    return shares


def _pair_blocks(
    sizes: Int64[np.ndarray, "n_pairs"],
) -> list[tuple[int, int]]:
    """Cut pairs into runs of some million shingles, or of one pair."""
    filled = np.cumsum(sizes) // (16 * SHINGLES_AT_ONCE)
    cuts = np.flatnonzero(np.diff(filled)) + 1
    edges = [0, *cuts.tolist(), len(sizes)]
    return [(a, b) for a, b in pairwise(edges) if b > a]
