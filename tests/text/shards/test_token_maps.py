import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.shards.token_maps import TokenMaps


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.data())
def test_reads_what_one_array_would(sizes, data):
    """A range that stops at the end of its file, or starts over there."""
    whole = np.arange(sum(sizes), dtype=np.uint16)
    maps = TokenMaps(np.split(whole, np.cumsum(sizes)[:-1]))
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    assert maps.read(start, stop).tolist() == whole[start:stop].tolist()
    both = np.array([start, 0]), np.array([stop - start, stop])
    joined = [*range(start, stop), *range(stop)]
    assert maps.ranges(*both).tolist() == joined


def test_a_range_in_one_array_is_a_view():
    """A copy of each document that is only looked at."""
    maps = TokenMaps([np.arange(5, dtype=np.uint16)] * 2)
    assert maps.read(6, 9).base is maps.arrays[1]


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2), (0, 10**6)])
def test_ranges_outside_are_named(start, stop):
    """A slice that is cut short in silence, as Python's are."""
    maps = TokenMaps([np.zeros(4, np.uint16)], "the shards of here")
    message = f"no tokens from {start} to {stop}; the shards of here hold 4"
    with pytest.raises(ValueError, match=message):
        maps.read(start, stop)
