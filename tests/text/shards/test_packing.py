import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.shards.packing import best_fit, document_mask


def pack_naively(lengths, capacity):
    """The chapter's loop: longest first, each where least room is left."""
    rows = []
    for length in sorted(lengths, reverse=True):
        fits = [row for row in rows if sum(row) + length <= capacity]
        if fits:
            max(fits, key=sum).append(length)
        else:
            rows.append([length])
    return rows


@given(
    st.integers(1, 30).flatmap(
        lambda capacity: st.tuples(
            st.lists(st.integers(1, capacity), max_size=60),
            st.just(capacity),
        )
    )
)
def test_buckets_equal_one_piece_at_a_time(case):
    """A row that is filled beyond its room, or a piece that is lost."""
    lengths, capacity = np.array(case[0], np.int64), case[1]
    order, bounds = best_fit(lengths, capacity)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    rows = [lengths[order[a:b]].tolist() for a, b in pairwise(bounds)]
    assert all(sum(row) <= capacity for row in rows)
    # Rows with equal room may swap pieces; how full they are may not change.
    naive = pack_naively(case[0], capacity)
    assert sorted(map(sum, rows)) == sorted(map(sum, naive))


def test_a_million_documents_in_seconds():
    """A search through all rows for each piece."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(5.5, 1.2, 1_000_000), 1, 2048)
    start = time.process_time()
    _, bounds = best_fit(lengths.astype(np.int64), 2048)
    assert time.process_time() - start < 10
    full = lengths.astype(np.int64).sum() / (len(bounds) - 1) / 2048
    assert full > 0.99


@pytest.mark.parametrize("bad", [0, 9])
def test_pieces_that_fit_no_row_are_named(bad):
    """An endless search for a row with room."""
    with pytest.raises(ValueError, match=f"1 to 8 tokens.* {bad}"):
        best_fit(np.array([3, bad] if bad else [bad, 8]), 8)


def test_no_attention_across_documents():
    """Documents that leak into the next one in their row; and a padded
    position that sees nothing, whose softmax is not a number."""
    documents = np.array([[0, 0, 1, 1, 1, -1, -1]])
    (mask,) = document_mask(documents)
    for t in range(7):
        for s in range(7):
            same = documents[0, t] == documents[0, s] != -1
            assert mask[t, s] == (s <= t and (same or s == t))
    assert mask.any(axis=1).all()
