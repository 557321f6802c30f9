"""Which tokens a window scores, and what they see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.evaluation.perplexity.windows import (
    Window,
    context_lengths,
    rolling_windows,
)

sizes = st.tuples(
    st.integers(1, 40), st.integers(1, 12), st.integers(1, 12)
).filter(lambda sizes: sizes[2] <= sizes[1])


def test_by_hand():
    """A last window that begins where the stride ends, and so reads less
    than the model can."""
    assert rolling_windows(9, max_tokens=4, stride=2) == [
        Window(0, 0, 4),
        Window(2, 4, 6),
        Window(4, 6, 8),
        Window(5, 8, 9),
    ]
    assert rolling_windows(6, max_tokens=4) == [
        Window(0, 0, 4),
        Window(2, 4, 6),
    ]


@given(sizes)
def test_each_token_is_scored_once(sizes):
    """At the seam of two windows a token is lost, or counted twice."""
    n, most, stride = sizes
    windows = rolling_windows(n, max_tokens=most, stride=stride)
    scored = [i for w in windows for i in range(w.first, w.stop)]
    assert scored == list(range(n))
    assert all(0 <= w.start <= w.first for w in windows)
    assert all(w.stop - w.start <= most for w in windows)


@given(sizes)
def test_what_each_token_sees(sizes):
    """A token that sees fewer than the stride promises."""
    n, most, stride = sizes
    windows = rolling_windows(n, max_tokens=most, stride=stride)
    for position, seen in enumerate(context_lengths(windows)):
        least = min(position + 1, most - stride + 1)
        assert least <= seen <= min(position + 1, most)


@given(sizes)
def test_stride_one_is_the_sliding_window(sizes):
    """The best that a bounded context allows: each token sees all that can
    be read."""
    n, most, _ = sizes
    windows = rolling_windows(n, max_tokens=most, stride=1)
    assert context_lengths(windows) == [min(i + 1, most) for i in range(n)]


@pytest.mark.parametrize(
    ("n", "stride", "message"),
    [(5, 0, "stride is 0"), (5, 9, "stride is 9"), (0, 1, "n_tokens is 0")],
)
def test_what_cannot_be_cut(n, stride, message):
    """A stride beyond the window leaves tokens out, and nothing says so."""
    with pytest.raises(ValueError, match=message):
        rolling_windows(n, max_tokens=8, stride=stride)
