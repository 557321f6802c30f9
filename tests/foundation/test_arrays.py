import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.foundation.arrays import spans

RANGES = st.lists(st.tuples(st.integers(-5, 50), st.integers(0, 5)))


@given(RANGES)
def test_spans_are_ranges_end_to_end(ranges):
    """An empty range, which shifts all that come after it."""
    starts, lengths = np.array(ranges, np.int64).reshape(-1, 2).T
    naive = [n for start, size in ranges for n in range(start, start + size)]
    assert spans(starts, lengths).tolist() == naive


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_narrow_starts_do_not_wrap(kind):
    """A sum of lengths in the type of the starts, which holds less."""
    starts = np.array([2**31 - 3, 0], kind)
    assert spans(starts, np.array([3, 1])).tolist() == [
        2**31 - 3,
        2**31 - 2,
        2**31 - 1,
        0,
    ]
