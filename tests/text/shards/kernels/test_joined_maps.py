import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.shards.kernels.joined_maps import JoinedMaps
from scratchlm.text.shards.token_maps import TokenMaps

SIZES = st.lists(st.integers(0, 6), min_size=1, max_size=6)


def arrays_of(sizes, dtype=np.uint16):
    """Arrays that say where each token stands, scattered in memory."""
    ends = np.cumsum(sizes)
    made = [
        np.arange(end - size, end, dtype=dtype)
        for size, end in zip(sizes, ends, strict=True)
    ]
    return [array.copy() for array in reversed(made)][::-1]


@given(SIZES, st.data())
def test_joined_equals_plain(sizes, data):
    """A shift of another array, a row over a border that goes on into what
    lies behind its file, or an empty array taken for the lowest."""
    plain, joined = (
        kind(arrays_of(sizes)) for kind in (TokenMaps, JoinedMaps)
    )
    n = len(plain)
    length = data.draw(st.integers(0, n))
    starts = data.draw(st.lists(st.integers(0, n - length), max_size=5))
    starts = np.array(starts, np.int64)
    expected = plain.windows(starts, length)
    assert joined.windows(starts, length).tolist() == expected.tolist()
    lengths = data.draw(st.lists(st.integers(0, length), max_size=5))
    lengths = np.array(lengths, np.int64)[: len(starts)]
    starts = starts[: len(lengths)]
    expected = plain.ranges(starts, lengths)
    assert joined.ranges(starts, lengths).tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("start", [-1, 7])
def test_no_memory_is_read_that_is_no_array(dtype, start):
    """An index beyond the files, into whatever lies between them."""
    maps = JoinedMaps(arrays_of([3, 0, 5], dtype), "the shards")
    message = f"no tokens from {start} to {start + 3}; the shards hold 8"
    starts = np.array([0, start])
    with pytest.raises(ValueError, match=message):
        maps.windows(starts, 3)
    with pytest.raises(ValueError, match=message):
        maps.ranges(starts, np.array([1, 3]))
