"""A schedule refuses what no ranks could do."""

import pytest

from scratchlm.scaling.pipeline_parallel import Action, Kind, Schedule

F, B = Kind.FORWARD, Kind.BACKWARD
INPUT, WEIGHT = Kind.BACKWARD_INPUT, Kind.BACKWARD_WEIGHT


def one_micro_batch(*orders):
    """A schedule of one micro-batch from kinds and stages."""
    return Schedule(
        name="mine",
        n_micro=1,
        orders=tuple(
            tuple(Action(kind, stage, 0) for kind, stage in order)
            for order in orders
        ),
    )


def test_who_waits_for_whom():
    """A gradient that is sent to the stage behind, or an end that waits for
    a neighbour that it does not have."""
    schedule = one_micro_batch(
        [(F, 0), (INPUT, 0), (WEIGHT, 0)], [(F, 1), (INPUT, 1), (WEIGHT, 1)]
    )
    source, target = schedule.source, schedule.target
    assert source(Action(F, 0, 0)) is None
    assert source(Action(F, 1, 0)) == Action(F, 0, 0)
    assert source(Action(INPUT, 0, 0)) == Action(INPUT, 1, 0)
    assert source(Action(INPUT, 1, 0)) is None
    assert source(Action(WEIGHT, 0, 0)) is None
    kinds = [(F, 0), (F, 1), (INPUT, 1), (INPUT, 0), (WEIGHT, 1)]
    found = [target(Action(kind, stage, 0)) for kind, stage in kinds]
    assert found == [1, None, 0, None, None]
    assert schedule.splits
    assert not one_micro_batch([(F, 0), (B, 0)]).splits


def test_a_split_backward_holds_its_micro_batch_until_the_weights_are_done():
    """Memory that is counted as free while the gradient of the weights
    still needs what the forward read."""
    schedule = one_micro_batch([(F, 0), (INPUT, 0), (WEIGHT, 0)])
    assert schedule.in_flight(0) == [1, 1, 0]
    assert one_micro_batch([(F, 0), (B, 0)]).in_flight(0) == [1, 0]


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ([[(F, 0), (B, 0), (F, 0)]], "F0 of stage 0 is there 2 times"),
        ([[(F, 0)]], "B0 of stage 0 is there 0 times"),
        ([[(F, 0), (INPUT, 0), (WEIGHT, 0), (B, 0)]], "B0 of stage 0 is"),
        ([[(F, 0), (B, 0)], [(F, 0)]], "stage 0 is on rank 1 and on rank 0"),
        ([[(F, 1), (B, 1)]], r"the stages are \[1\]"),
        ([[(B, 0), (F, 0)]], "B0 of stage 0 comes before its F"),
        ([[(F, 0), (WEIGHT, 0), (INPUT, 0)]], "W0 of stage 0 comes before"),
    ],
)
def test_what_is_no_schedule_is_refused(orders, message):
    """A micro-batch that is left out changes a gradient and no loss curve
    shows it; one that is there twice counts double."""
    with pytest.raises(ValueError, match=message):
        one_micro_batch(*orders)
