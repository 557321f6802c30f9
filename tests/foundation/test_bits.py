"""Bits that no longer show where they came from."""

import numpy as np

from scratchlm.foundation.bits import spread


def test_spread_is_a_bijection_that_spreads_single_bits():
    """A finaliser with a slip in a shift keeps bits where they are."""
    ones = np.uint64(1) << np.arange(64, dtype=np.uint64)
    assert spread(np.zeros(1, np.uint64)).tolist() == [0]
    counts = np.bitwise_count(spread(ones))  # beside those of 0
    assert counts.min() > 12
    assert counts.max() < 52
    assert (
        len(np.unique(spread(np.arange(100_000, dtype=np.uint64)))) == 100_000
    )
