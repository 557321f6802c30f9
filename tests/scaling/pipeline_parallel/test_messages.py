"""What is sent arrives, in whatever order it is asked for."""

from functools import partial

import torch

from scratchlm.scaling.pipeline_parallel import (
    Action,
    Kind,
    Messages,
    Schedule,
    interleaved,
    zb_v,
)


def talk(group, make):
    """Send the number of an action as its result; look at what comes."""
    schedule = make()
    messages = Messages(schedule, group, lambda m: torch.empty(1, 1, m + 2))
    right = []
    for action in schedule.orders[group.rank()]:
        source = schedule.source(action)
        if source is not None:
            came = messages.receive(source)
            right.append(came.tolist() == result(source).tolist())
        if schedule.target(action) is not None:
            messages.send(action, result(action))
    messages.finish()
    return right, messages.sent_bytes


def result(action):
    number = 1000 * action.stage + 10 * action.micro_batch
    number += [*Kind].index(action.kind)
    return torch.full((1, 1, action.micro_batch + 2), float(number))


def test_each_message_is_the_one_that_was_asked_for(ranks):
    """Activations and gradients cross between one pair of ranks in an order
    that only the sender knows: taken by turn, one passes for the other
    where their shapes are alike."""
    for make in (partial(interleaved, 2, 4, n_virtual=3), partial(zb_v, 2, 5)):
        for rank, (right, sent) in enumerate(ranks(2)(talk, make)):
            schedule = make()
            waits = [schedule.source(a) for a in schedule.orders[rank]]
            assert len(right) == sum(source is not None for source in waits)
            assert all(right)
            crossing = [
                action
                for action in schedule.orders[rank]
                if (to := schedule.target(action)) is not None
                and schedule.rank_of[to] != rank
            ]
            assert sent == sum(4 * (a.micro_batch + 2) for a in crossing)


def crossed():
    """Rank 1 wants the second micro-batch first."""
    f, b = Kind.FORWARD, Kind.BACKWARD
    first = [Action(f, 0, 0), Action(f, 0, 1), Action(b, 0, 1)]
    second = [Action(f, 1, 1), Action(b, 1, 1), Action(f, 1, 0)]
    first.append(Action(b, 0, 0))
    second.append(Action(b, 1, 0))
    orders = tuple(first), tuple(second)
    return Schedule(name="crossed", n_micro=2, orders=orders)


def test_what_comes_before_its_turn_is_laid_aside(ranks):
    """A message that is given to whoever asks next."""
    for right, _ in ranks(2)(talk, crossed):
        assert right == [True, True]
