"""Formulas, held against the timeline of each schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.scaling.pipeline_parallel import (
    Durations,
    bubble,
    gpipe,
    interleaved,
    message_bytes,
    one_forward_one_backward,
    simulate,
    zb_h1,
    zb_h1_bubble,
    zb_v,
)

ranks = st.integers(1, 6)
lengths = st.floats(0.1, 10)


@given(ranks, st.integers(1, 14), lengths, lengths, lengths)
def test_gpipe_and_1f1b(p, m, f, i, w):
    """A formula that is copied and never drawn; also with fewer
    micro-batches than ranks, which both of these can do."""
    durations = Durations(forward=f, backward_input=i, backward_weight=w)
    for make in (gpipe, one_forward_one_backward):
        found = simulate(make(p, m), durations).bubble
        assert found == pytest.approx(bubble(p, m), abs=1e-9)


@given(ranks, st.integers(1, 3), st.integers(2, 4), lengths, lengths)
def test_interleaved(p, rounds, v, f, backward):
    """A bubble that does not shrink, since the stages of a rank are
    neighbours or their order is that of 1F1B."""
    m = p * rounds
    durations = Durations(
        forward=f, backward_input=backward / 2, backward_weight=backward / 2
    )
    schedule = interleaved(p, m, n_virtual=v)
    found = simulate(schedule, durations.divided(v)).bubble
    assert found == pytest.approx(bubble(p, m, n_virtual=v), abs=1e-9)


@given(ranks, st.integers(1, 14), lengths, lengths, st.floats(0.05, 1))
def test_zb_h1(p, m, f, i, part):
    """Gradients of weights that are put off too little leave the end idle;
    put off too much, they need more memory than 1F1B."""
    durations = Durations(
        forward=f, backward_input=i, backward_weight=part * min(f, i)
    )
    found = simulate(zb_h1(p, m), durations).bubble
    assert found == pytest.approx(zb_h1_bubble(p, m, durations), abs=1e-9)


@given(st.integers(2, 6), st.integers(1, 14))
def test_no_split_backward_is_worse_than_1f1b(p, m):
    """A split that costs time instead of saving it."""
    whole = simulate(one_forward_one_backward(p, m)).seconds
    assert simulate(zb_h1(p, m)).seconds <= whole
    halves = Durations().divided(2)
    assert simulate(zb_v(p, m), halves).seconds <= whole


@given(st.integers(1, 6), st.integers(0, 9))
def test_zb_v_has_half_of_what_zb_h1_has(p, more):
    """A V whose two ways do not meet: rank 0 idles at the turn."""
    m = 2 * p - 1 + more
    found = simulate(zb_v(p, m), Durations().divided(2)).bubble
    assert found == pytest.approx(zb_h1_bubble(p, m) / 2, abs=1e-9)


def test_bytes_of_a_message():
    """A message that counts tokens and forgets the width of the stream."""
    assert message_bytes(2, 128, 64, 4) == 65_536
