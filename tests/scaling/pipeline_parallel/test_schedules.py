"""Properties of each schedule, over ranks, micro-batches and stages."""

import itertools
from collections import Counter, deque
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.scaling.pipeline_parallel import (
    Action,
    Kind,
    gpipe,
    interleaved,
    interleaved_in_flight,
    one_forward_one_backward,
    zb_h1,
    zb_v,
)

PLAIN = (gpipe, one_forward_one_backward, zb_h1, zb_v)


@st.composite
def calls(draw):
    """Of any schedule of a few ranks; micro-batches fewer or more."""
    world_size = draw(st.integers(1, 6))
    make = draw(st.sampled_from([*PLAIN, interleaved]))
    if make is not interleaved:
        return partial(make, world_size, draw(st.integers(1, 14)))
    n_micro = world_size * draw(st.integers(1, 3))
    n_virtual = draw(st.integers(2, 4))
    return partial(make, world_size, n_micro, n_virtual=n_virtual)


@given(calls())
def test_each_micro_batch_passes_each_stage_once_each_way(call):
    """A micro-batch that an end of the pattern drops or repeats: its tokens
    count never or twice, and the loss curve looks normal."""
    schedule = call()
    found = Counter(
        (action.kind, action.stage, action.micro_batch)
        for order in schedule.orders
        for action in order
    )
    kinds = "FIW" if schedule.splits else "FB"
    pairs = itertools.product(
        range(schedule.n_stages), range(schedule.n_micro)
    )
    every = {(Kind(k), *pair) for pair in pairs for k in kinds}
    assert found == dict.fromkeys(every, 1)


@given(calls())
def test_gradients_add_up_in_the_order_of_the_micro_batches(call):
    """An order of sums that differs from that of one process, so that no
    test could ask for equal bits."""
    schedule = call()
    for order in schedule.orders:
        last = {}
        for action in order:
            key = action.kind, action.stage
            assert action.micro_batch == last.get(key, -1) + 1
            last[key] = action.micro_batch


@given(calls())
def test_ranks_that_block_come_to_their_end(call):
    """A receive without a send, or two ranks that wait for each other: the
    ranks hang, and nothing says where.

    Each rank is run with queues: a send puts a name into the queue to its
    neighbour, and a receive blocks until its name is there."""
    schedule = call()
    queues = {
        pair: deque()
        for pair in itertools.product(range(schedule.world_size), repeat=2)
    }
    orders = [deque(order) for order in schedule.orders]
    moved = True
    while moved:
        moved = False
        for rank, order in enumerate(orders):
            while order and may_run(schedule, queues, rank, order[0]):
                action = order.popleft()
                send(schedule, queues, rank, action)
                moved = True
    assert not any(orders)
    assert not any(queues.values())  # each send was received


def may_run(schedule, queues, rank, action):
    """Receive what the action needs, if it has been sent."""
    kind, stage, micro_batch = action
    beside = stage - 1 if kind is Kind.FORWARD else stage + 1
    local = kind is Kind.BACKWARD_WEIGHT
    if local or not 0 <= beside < schedule.n_stages:
        return True
    queue = queues[schedule.rank_of[beside], rank]
    wanted = Action(kind, beside, micro_batch)
    if wanted not in queue:
        return False
    queue.remove(wanted)
    return True


def send(schedule, queues, rank, action):
    kind, stage, _ = action
    to = stage + 1 if kind is Kind.FORWARD else stage - 1
    if kind is Kind.BACKWARD_WEIGHT or not 0 <= to < schedule.n_stages:
        return
    queues[rank, schedule.rank_of[to]].append(action)


@given(st.integers(1, 6), st.integers(1, 14))
def test_micro_batches_in_flight(p, m):
    """A warm-up that is one forward too long, on every rank: memory that
    the formula does not know, and nothing else changes."""

    def most(schedule):
        return [max(schedule.in_flight(rank)) for rank in range(p)]

    assert most(gpipe(p, m)) == [m] * p
    assert most(one_forward_one_backward(p, m)) == [
        min(m, p - rank) for rank in range(p)
    ]
    assert most(zb_h1(p, m)) == [min(m, p)] * p
    # Its stages have half of a rank's layers each.
    assert all(held <= 2 * p for held in most(zb_v(p, m)))


@given(st.integers(1, 5), st.integers(1, 3), st.integers(2, 4))
def test_micro_batches_in_flight_with_several_stages(p, rounds, v):
    """The price of interleaving, which its bubble alone does not show."""
    m = p * rounds
    schedule = interleaved(p, m, n_virtual=v)
    for rank in range(p):
        assert max(schedule.in_flight(rank)) == interleaved_in_flight(
            p, m, rank, n_virtual=v
        )


@given(calls())
def test_nothing_is_held_at_the_end(call):
    """A graph that is kept over the step grows with each step."""
    schedule = call()
    for rank in range(schedule.world_size):
        assert schedule.in_flight(rank)[-1] == 0


def test_where_stages_lie():
    """An interleaved rank with neighbouring stages has the bubble of one
    stage; a V that does not turn sends around the whole ring."""
    assert [interleaved(3, 3).stages_of(rank) for rank in range(3)] == [
        [0, 3],
        [1, 4],
        [2, 5],
    ]
    assert [zb_v(3, 1).stages_of(rank) for rank in range(3)] == [
        [0, 5],
        [1, 4],
        [2, 3],
    ]
    assert gpipe(2, 1).stages_of(1) == [1]


def test_one_order_in_full():
    """The figure of the paper, by its letters."""
    order = zb_h1(2, 3).orders[1]
    letters = " ".join(f"{a.kind}{a.micro_batch}" for a in order)
    assert letters == "F0 I0 F1 I1 W0 F2 I2 W1 W2"


@pytest.mark.parametrize("make", [*PLAIN, interleaved])
@pytest.mark.parametrize("numbers", [(0, 4), (2, 0), (-1, 2)])
def test_numbers_below_one_are_refused(make, numbers):
    """A schedule of nothing trains on nothing."""
    with pytest.raises(ValueError, match="give 1 or more"):
        make(*numbers)


def test_what_cannot_be_interleaved_is_refused():
    """Groups that are not full leave ranks waiting for one another."""
    with pytest.raises(ValueError, match=r"n_micro is 6.*multiple, such as 8"):
        interleaved(4, 6)
    with pytest.raises(ValueError, match="n_virtual is 1; give 2 or more"):
        interleaved(2, 4, n_virtual=1)
