from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.shards.shuffle import mix, shuffled


def keys(n, key=0):
    return mix(np.full(n, key, np.uint64))


@given(st.integers(0, 500), st.integers(0, 2**64 - 1))
def test_every_number_comes_once(size, key):
    """A row that is trained on twice, and one never."""
    out = shuffled(np.arange(size), size, keys(size, key))
    assert sorted(out.tolist()) == list(range(size))


def test_a_part_can_be_computed_alone():
    """A shuffle that depends on which places are asked for together."""
    size = 10**12 + 39
    places = np.arange(size - 1000, size)
    out = shuffled(places, size, keys(1000))
    assert len(set(out.tolist())) == 1000
    assert 0 <= out.min() <= out.max() < size
    assert shuffled(places[7:9], size, keys(2)).tolist() == out[7:9].tolist()


def test_it_is_the_same_everywhere():
    """A resumed run on another machine that meets another order."""
    out = shuffled(np.arange(9), 9, keys(9))
    assert out.tolist() == [7, 5, 1, 3, 2, 8, 4, 0, 6]
    big = shuffled(np.arange(3), 10**15, keys(3))
    assert big.tolist() == [79464790626020, 344531613268786, 29298914199385]


def test_each_place_can_go_everywhere():
    """A shuffle that favours some orders: all 24 of four should come
    equally often."""
    n_keys = 24_000
    places = np.tile(np.arange(4), n_keys)
    each = np.repeat(mix(np.arange(n_keys, dtype=np.uint64)), 4)
    orders = shuffled(places, 4, each).reshape(-1, 4)
    counts = Counter(map(tuple, orders.tolist()))
    assert set(counts) == set(permutations(range(4)))
    chi_square = sum((c - 1000) ** 2 / 1000 for c in counts.values())
    assert chi_square < 60, chi_square  # 23 expected; 60 once in 30,000


def test_neighbours_part():
    """Rows of one file that stay together, so that batches are of one
    kind."""
    size = 100_000
    out = shuffled(np.arange(size), size, keys(size))
    assert np.mean(np.abs(np.diff(out)) < size // 100) < 0.03
    correlation = np.corrcoef(np.arange(size), out)[0, 1]
    assert abs(correlation) < 0.02


def test_places_outside_are_named():
    """A place beyond the end, sent somewhere all the same."""
    for place in (-1, 5):
        with pytest.raises(ValueError, match="places must be 0 to 4"):
            shuffled(np.array([place]), 5, keys(1))
