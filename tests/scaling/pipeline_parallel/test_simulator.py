"""Timelines whose ends one can count on a sheet of squared paper."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.scaling.pipeline_parallel import (
    Action,
    Durations,
    Event,
    Kind,
    Schedule,
    Timeline,
    gpipe,
    one_forward_one_backward,
    simulate,
)

F, B = Kind.FORWARD, Kind.BACKWARD


def test_two_ranks_and_two_micro_batches():
    """A backward that starts before the loss is there, or a rank that does
    two things at once."""
    timeline = simulate(one_forward_one_backward(2, 2))
    found = {
        (e.rank, str(e.action)): (e.start, e.end) for e in timeline.events
    }
    assert found == {
        (0, "F0 of stage 0"): (0, 1),
        (0, "F1 of stage 0"): (1, 2),
        (1, "F0 of stage 1"): (1, 2),
        (1, "B0 of stage 1"): (2, 4),
        (0, "B0 of stage 0"): (4, 6),
        (1, "F1 of stage 1"): (4, 5),
        (1, "B1 of stage 1"): (5, 7),
        (0, "B1 of stage 0"): (7, 9),
    }
    assert timeline.seconds == 9
    assert timeline.busy == {0: 6, 1: 6}
    assert timeline.bubble == pytest.approx(18 / 12 - 1)


def test_what_is_sent_arrives_later_and_costs_its_sender_nothing():
    """A transfer that is counted on both ends, or within one rank."""
    assert simulate(gpipe(2, 1), transfer=0.5).seconds == 6 + 2 * 0.5
    assert simulate(gpipe(1, 3), transfer=9.0).seconds == 9
    # Rank 0 goes on with its second forward while the first travels.
    slow = simulate(gpipe(2, 2), transfer=1.0)
    starts = [e.start for e in slow.events if e.rank == 0]
    assert starts[:2] == [0, 1]


@given(st.integers(1, 5), st.integers(1, 6), st.floats(0, 3))
def test_nobody_starts_before_what_it_needs(p, m, transfer):
    """A timeline that no ranks could follow."""
    schedule = one_forward_one_backward(p, m)
    timeline = simulate(schedule, transfer=transfer)
    ended = {event.action: event for event in timeline.events}
    for event in timeline.events:
        source = schedule.source(event.action)
        if source is not None:
            assert event.start >= ended[source].end + transfer
    for rank in range(p):
        own = [event for event in timeline.events if event.rank == rank]
        assert [event.action for event in own] == [*schedule.orders[rank]]
        for one, after in pairwise(own):
            assert after.start >= one.end


def test_each_stage_may_have_its_own_durations():
    """One stage with the head takes longer, and all wait for it."""

    def seconds(action):
        return 2.0 if action.stage == 1 else 1.0

    assert simulate(gpipe(2, 3), seconds).seconds == 1 + 6 + 6 + 1


def test_a_clock_may_start_anywhere():
    """A measured timeline whose bubble counts the time before the step."""
    action = Action(F, 0, 0)
    events = [
        Event(rank=0, action=action, start=100.0, end=101.0),
        Event(rank=1, action=action, start=101.0, end=102.0),
    ]
    timeline = Timeline(events=tuple(events))
    assert (timeline.start, timeline.seconds, timeline.bubble) == (100, 2, 1)


def test_ranks_that_wait_in_a_circle_are_named():
    """A schedule that hangs on the cluster, and says nothing."""
    orders = (
        (Action(F, 0, 0), Action(B, 0, 0), Action(F, 0, 1), Action(B, 0, 1)),
        (Action(F, 1, 0), Action(F, 1, 1), Action(B, 1, 0), Action(B, 1, 1)),
    )
    stuck = Schedule(name="mine", n_micro=2, orders=orders)
    with pytest.raises(
        ValueError,
        match="mine never ends: rank 0 needs B0 of stage 1 for B0 of stage 0; "
        "rank 1 needs F1 of stage 0 for F1 of stage 1",
    ):
        simulate(stuck)


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_work_takes_time(value):
    """A division by no work at all."""
    with pytest.raises(ValueError, match=r"forward is .*more than 0"):
        Durations(forward=value)


def test_durations_of_a_part():
    """An interleaved stage that is as long as a whole rank."""
    assert Durations(forward=4).divided(2) == Durations(
        forward=2, backward_input=0.5, backward_weight=0.5
    )
