"""Signatures to buckets in which the similar meet."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt32, UInt64

from scratchlm.foundation.bits import spread
from scratchlm.text.deduplication.clusters import UnionFind
from scratchlm.text.deduplication.minhash import NOTHING

NO_BUCKET = 0  # the key of a document that meets no other
Keys: TypeAlias = UInt64[np.ndarray, "n_docs n_keys"]
Probability: TypeAlias = Float[np.ndarray, "*shape"] | np.floating
Pairs: TypeAlias = Int64[np.ndarray, "n_pairs 2"]


def match_probability(
    similarity: Float[np.ndarray, "*shape"] | float, bands: int, rows: int
) -> Probability:
    """How likely two documents share a bucket, ``1 - (1 - s**r)**b``.

    Args:
        similarity: Jaccard similarity, 0 to 1.
        bands: b, of which one has to agree.
        rows: r, values in a band, all of which have to agree.

    Source: Leskovec, Rajaraman and Ullman 2020, "Mining of Massive
    Datasets", section 3.4.2.
    """
    band_agrees = np.asarray(similarity, float) ** rows
    probability: Probability = 1 - (1 - band_agrees) ** bands
    return probability


def band_keys(
    signed: UInt32[np.ndarray, "n_docs n_hashes"], bands: int, rows: int
) -> UInt64[np.ndarray, "n_docs bands"]:
    """Hash each band of a signature to the key of its bucket.

    A key tells its band, so that keys of two bands are never one bucket.
    Documents without shingles get ``NO_BUCKET``.

    Raises:
        ValueError: the signatures are not ``bands * rows`` wide.
    """
    if signed.shape[1] != bands * rows or bands < 1:
        raise ValueError(
            f"signatures of {signed.shape[1]} values do not make {bands} "
            f"bands of {rows} rows; sign with {bands * rows} hashes"
        )
    values = signed.reshape(len(signed), bands, rows)
    keys: Keys = np.broadcast_to(
        spread(np.arange(1, bands + 1, dtype=np.uint64)), (len(signed), bands)
    )
    for row in range(rows):
        keys = spread(keys ^ values[:, :, row])
    keys = np.maximum(keys, NO_BUCKET + 1)
    keys[(signed == NOTHING).all(1)] = NO_BUCKET
    return keys


def bucket_links(keys: Keys) -> Pairs:
    """Join each document to the one before it in each of its buckets.

    These links are enough for clusters, and linear in the documents. For all
    pairs see :func:`candidate_pairs`.
    """
    return np.concatenate(
        [_neighbours(*_sorted(column), 1) for column in keys.T]
        or [np.empty((0, 2), np.int64)]
    )


def candidate_pairs(keys: Keys) -> Pairs:
    """Every pair that shares a bucket, once, lower number first, in order.

    A bucket of n documents has n (n - 1) / 2 pairs: this is for measuring,
    :func:`bucket_links` for large corpora.
    """
    n = len(keys)
    found = [np.empty(0, np.int64)]
    for column in keys.T:
        order, values = _sorted(column)
        for distance in range(1, n):
            pairs = _neighbours(order, values, distance)
            if not len(pairs):
                break
            found.append(pairs[:, 0] * n + pairs[:, 1])
    coded = np.unique(np.concatenate(found))
    return np.stack(np.divmod(coded, max(n, 1)), 1)


def link_verified(
    keys: Keys,
    similar: Callable[[Pairs], Bool[np.ndarray, "n_pairs"]],
    union: UnionFind,
) -> None:
    """Join those pairs that share a bucket and pass a test.

    Pairs that are in one cluster already are not tested, for they could not
    change it; so a bucket of documents that are all alike costs one test
    each, and a bucket of unlike ones a test for every pair.

    Args:
        keys: buckets of the documents, as :func:`band_keys` gives them.
        similar: whether the documents of each pair are duplicates.
        union: clusters found so far, which grow.
    """
    for column in keys.T:
        for pairs in _undecided(column, union):
            accepted = pairs[similar(pairs)]
            union.link(accepted[:, 0], accepted[:, 1])


def _undecided(
    column: UInt64[np.ndarray, "n_docs"], union: UnionFind
) -> Iterator[Pairs]:
    """Pairs at distance 1, 2, ... in the buckets that still fall apart."""
    order, values = _sorted(column)
    distance = 1
    while distance < len(order):
        roots = union.parent[order]
        starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
        apart = np.minimum.reduceat(roots, starts) != np.maximum.reduceat(
            roots, starts
        )
        counts = np.diff(np.append(starts, len(order)))
        left = np.repeat(apart & (counts > distance), counts)
        order, values = order[left], values[left]
        pairs = _neighbours(order, values, distance)
        roots = union.parent[pairs]
        pairs = pairs[roots[:, 0] != roots[:, 1]]
        if len(pairs):
            yield pairs
        distance += 1


def _sorted(
    column: UInt64[np.ndarray, "n_docs"],
) -> tuple[Int64[np.ndarray, "n"], UInt64[np.ndarray, "n"]]:
    """Documents by bucket, those of one bucket in their own order."""
    order = np.argsort(column, kind="stable")
    order = order[np.searchsorted(column[order], NO_BUCKET, "right") :]
    return order, column[order]


def _neighbours(
    order: Int64[np.ndarray, "n"],
    values: UInt64[np.ndarray, "n"],
    distance: int,
) -> Pairs:
    """Pairs of one bucket that stand so far from each other."""
    same = values[distance:] == values[:-distance]
    pairs = order[:-distance][same], order[distance:][same]
    return np.stack(pairs, 1)
