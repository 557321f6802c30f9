"""Signatures agree as often as sets overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.foundation.bits import spread
from scratchlm.text.deduplication import minhash
from scratchlm.text.deduplication.minhash import (
    NOTHING,
    distinct,
    jaccard,
    multipliers,
    sign,
    signatures,
    text_blocks,
)
from scratchlm.text.deduplication.shingles import Shingles

SETS = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=6)


def shingles_of(sets):
    flat = np.array([x for one in sets for x in one], np.uint64)
    ends = np.cumsum([0, *map(len, sets)])
    return Shingles(spread(flat), ends.astype(np.int64))


def sign_naively(sets, n_hashes, seed=0):
    """The chapter's loop: permute every shingle, keep the least."""
    factors = multipliers(n_hashes, seed).tolist()
    shingles = shingles_of(sets)
    rows = []
    for low, high in zip(shingles.offsets, shingles.offsets[1:], strict=False):
        keys = [max(h >> 32, 1) for h in shingles.hashes[low:high].tolist()]
        rows.append(
            [
                min((f * key % 2**32 for key in keys), default=int(NOTHING))
                for f in factors
            ]
        )
    return rows


@given(SETS, st.integers(1, 9))
def test_blocks_equal_the_loop(sets, n_hashes):
    """An empty document takes the least value of its neighbour (what
    ``minimum.reduceat`` does), or a product of more than 32 bits stays."""
    signed = sign(shingles_of(sets), n_hashes)
    assert signed.tolist() == sign_naively(sets, n_hashes)


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_a_document_may_span_blocks(monkeypatch, block):
    """The least of the last block alone, where a document needs several."""
    sets = [[1, 2, 3, 4, 5, 6, 7, 8], [], [9], [1, 2, 3, 4, 5], [], [4, 4]]
    monkeypatch.setattr(minhash, "SHINGLES_AT_ONCE", block)
    assert sign(shingles_of(sets), 5).tolist() == sign_naively(sets, 5)


def test_multipliers_are_odd_distinct_and_frozen():
    """An even factor halves the values it can give for each factor of two,
    so that unlike sets agree; and 0 maps all to 0."""
    drawn = multipliers(10_000)
    assert (drawn % 2 == 1).all()
    assert len(np.unique(drawn)) > 9_990
    assert not np.intersect1d(drawn[:100], multipliers(100, seed=1)).size
    assert np.array_equal(drawn[:3], multipliers(3))
    assert multipliers(3).tolist() == [1452414493, 3687987351, 508780269]


def test_multiplication_by_an_odd_number_permutes():
    """The map of every 16-bit word, where it can be tried in full."""
    words = np.arange(2**16, dtype=np.uint16)
    for factor in multipliers(20).astype(np.uint16):
        assert len(np.unique(words * factor)) == 2**16
    assert len(np.unique(words * np.uint16(1000))) == 2**13


@pytest.mark.parametrize("similarity", [0.1, 0.5, 0.9])
def test_agreement_estimates_the_similarity(similarity):
    """A family of permutations in which some elements come first more often
    than others biases every estimate; a correlated one widens it."""
    n_pairs, n_hashes, size = 400, 112, 300
    common = round(2 * size * similarity / (1 + similarity))
    rng = np.random.default_rng(0)
    sets = []
    for _ in range(n_pairs):
        drawn = rng.choice(2**40, 2 * size - common, replace=False)
        sets += [drawn[:size], drawn[-size:]]
    pairs = np.arange(2 * n_pairs).reshape(-1, 2)
    shingles = shingles_of(sets)
    true = jaccard(distinct(shingles), pairs)
    assert np.allclose(true, common / (2 * size - common))
    left, right = sign(shingles, n_hashes)[pairs.T]
    error = (left == right).mean(1) - true
    sigma = np.sqrt(true[0] * (1 - true[0]) / n_hashes)
    assert abs(error.mean()) < 3.5 * sigma / np.sqrt(n_pairs)
    assert 0.85 < error.std() / sigma < 1.15


@given(SETS)
def test_jaccard_is_that_of_sets(sets):
    """A repeated shingle counted twice, or two empty sets called equal."""
    if len(sets) < 2:
        return
    pairs = np.array([(i, j) for i in range(len(sets)) for j in range(i)])
    found = jaccard(distinct(shingles_of(sets)), pairs)
    for (i, j), value in zip(pairs, found, strict=True):
        a, b = set(sets[i]), set(sets[j])
        assert value == (len(a & b) / len(a | b) if a | b else 0)


def test_many_pairs_go_block_by_block(monkeypatch):
    """Pairs at the seam of two blocks left out."""
    monkeypatch.setattr(minhash, "SHINGLES_AT_ONCE", 1)
    sets = [list(range(i, i + 20)) for i in range(30)]
    pairs = np.array([(i, i + 1) for i in range(29)])
    assert np.allclose(jaccard(distinct(shingles_of(sets)), pairs), 19 / 21)
    none = np.empty((0, 2), np.int64)
    assert len(jaccard(distinct(shingles_of(sets)), none)) == 0


def test_signatures_do_not_depend_on_the_blocks_of_text(monkeypatch):
    """A text lost, or signed twice, where a block ends."""
    texts = [f"the {i}th text of a list of them" * (i % 3) for i in range(20)]
    whole = signatures(texts, 10, size=2)
    monkeypatch.setattr(minhash, "TEXT_BLOCK", 50)
    assert np.array_equal(signatures(texts, 10, size=2), whole)
    assert [t for b in text_blocks(texts) for t in b] == texts
    assert signatures([], 10).shape == (0, 10)


def test_bad_numbers_are_named():
    """A signature of no values, on which all documents agree."""
    with pytest.raises(ValueError, match="n_hashes is 0"):
        multipliers(0)
    with pytest.raises(ValueError, match="seed -1"):
        multipliers(1, seed=-1)
