"""The similar meet in a bucket, and nobody else is linked."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.foundation.bits import spread
from scratchlm.text.deduplication.buckets import (
    NO_BUCKET,
    band_keys,
    bucket_links,
    candidate_pairs,
    link_verified,
    match_probability,
)
from scratchlm.text.deduplication.clusters import UnionFind
from scratchlm.text.deduplication.minhash import NOTHING, sign
from scratchlm.text.deduplication.shingles import Shingles

KEYS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 5), min_size=width, max_size=width),
        min_size=1, max_size=12,
    )
)  # fmt: skip


def pairs_naively(keys):
    """Every pair with an equal key in an equal column."""
    return [
        (i, j)
        for i, j in combinations(range(len(keys)), 2)
        if any(
            a == b != NO_BUCKET for a, b in zip(keys[i], keys[j], strict=True)
        )
    ]


def clusters(n, pairs):
    union = UnionFind(n)
    pairs = np.array(pairs, np.int64).reshape(-1, 2)
    union.link(pairs[:, 0], pairs[:, 1])
    return union.labels().tolist()


@given(KEYS)
def test_pairs_and_links_are_those_of_the_loop(rows):
    """Keys of two columns taken for one bucket, pairs reported twice, or
    documents without a key linked to each other."""
    keys = np.array(rows, np.uint64)
    wanted = pairs_naively(rows)
    assert [tuple(p) for p in candidate_pairs(keys).tolist()] == wanted
    links = [tuple(sorted(p)) for p in bucket_links(keys).tolist()]
    assert set(links) <= set(wanted)
    assert clusters(len(keys), links) == clusters(len(keys), wanted)


@given(KEYS, st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11))))
def test_verified_clusters_are_those_of_all_tested_pairs(rows, alike):
    """A document dropped from its bucket after its first match, so that who
    is like it alone is never compared."""
    keys = np.array(rows, np.uint64)
    wanted = [pair for pair in pairs_naively(rows) if pair in alike]
    union = UnionFind(len(keys))

    def similar(pairs):
        return np.array([tuple(p) in alike for p in pairs.tolist()], bool)

    link_verified(keys, similar, union)
    assert union.labels().tolist() == clusters(len(keys), wanted)


def test_a_bucket_of_copies_is_tested_once_each():
    """Half a trillion tests for a page that a million sites carry."""
    keys = np.ones((5000, 3), np.uint64)
    union = UnionFind(5000)
    tested = []

    def similar(pairs):
        tested.append(len(pairs))
        return np.ones(len(pairs), bool)

    link_verified(keys, similar, union)
    assert sum(tested) == 4999


@pytest.mark.parametrize(("bands", "rows"), [(14, 8), (20, 5), (1, 1)])
def test_the_s_curve_is_what_pairs_do(bands, rows):
    """A band that hashes fewer rows than it should, or rows of another."""
    rng = np.random.default_rng(0)
    n, size = 3000, 200
    for similarity in (0.3, 0.6, 0.8):
        common = round(2 * size * similarity / (1 + similarity))
        sets = rng.integers(
            2**63, size=(n, 2 * size - common), dtype=np.uint64
        )
        both = np.concatenate([sets[:, :size], sets[:, -size:]], 1)
        ends = np.arange(0, both.size + 1, size)
        signed = sign(Shingles(spread(both.ravel()), ends), bands * rows)
        keys = band_keys(signed, bands, rows)
        met = (keys[0::2] == keys[1::2]).any(1).mean()
        true = common / (2 * size - common)
        wanted = match_probability(true, bands, rows)
        sigma = np.sqrt(wanted * (1 - wanted) / n)
        assert abs(met - wanted) < 4 * sigma + 1e-3


def test_documents_without_shingles_meet_nobody():
    """All empty pages of a crawl as one cluster, and with them a text whose
    signature happens to be missing."""
    signed = np.full((3, 6), NOTHING, np.uint32)
    signed[2, 0] = 5
    keys = band_keys(signed, 3, 2)
    assert (keys[:2] == NO_BUCKET).all()
    assert (keys[2] != NO_BUCKET).all()
    assert len(candidate_pairs(keys)) == len(bucket_links(keys)) == 0


def test_nothing_at_all_has_no_pairs():
    """An index error on an empty corpus."""
    empty = np.empty((0, 3), np.uint64)
    assert len(candidate_pairs(empty)) == len(bucket_links(empty)) == 0
    assert len(bucket_links(np.empty((2, 0), np.uint64))) == 0
    assert band_keys(np.empty((0, 6), np.uint32), 3, 2).shape == (0, 3)


def test_the_same_values_in_another_band_are_another_bucket():
    """Bands that repeat a value meet each other's buckets once all keys
    share one table."""
    keys = band_keys(np.ones((1, 6), np.uint32), 3, 2)
    assert len(np.unique(keys)) == 3


def test_a_signature_of_another_width_is_named():
    """The last hashes left out in silence."""
    with pytest.raises(ValueError, match="sign with 6 hashes"):
        band_keys(np.ones((1, 7), np.uint32), 3, 2)
