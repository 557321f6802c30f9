"""Collectives made of messages: equal to gloo's, and no byte too many."""

import pytest
import torch
from torch import distributed as dist

from scratchlm.scaling.collectives.collectives import (
    Wire,
    all_to_all,
    ring_all_gather,
    ring_all_reduce,
    ring_reduce_scatter,
    split_for,
    tree_all_reduce,
    tree_broadcast,
    tree_reduce,
)
from scratchlm.scaling.collectives.local import RankError, run

SIZES = (0, 1, 3, 10, 1000)  # fewer numbers than ranks among them
WORLDS = (1, 2, 3, 4, 5)


def drawn(rank, n):
    return torch.randn(n, generator=torch.Generator().manual_seed(rank))


def sums_of(group, function):
    """Ours and gloo's sums of each size."""
    found = []
    for n in SIZES:
        ours = drawn(group.rank(), n)
        theirs = ours.clone()
        function(ours, Wire(group))
        dist.all_reduce(theirs, group=group)
        found.append((ours, theirs))
    return found


@pytest.mark.parametrize("function", [ring_all_reduce, tree_all_reduce])
@pytest.mark.parametrize("world_size", WORLDS)
def test_an_all_reduce_sums_on_every_rank(ranks, world_size, function):
    """A chunk added twice or not at all, at a number of ranks that is no
    power of two or with fewer numbers than ranks."""
    found = ranks(world_size)(sums_of, function)
    for mine in found:
        for (ours, theirs), (first, _) in zip(mine, found[0], strict=True):
            torch.testing.assert_close(ours, theirs)
            assert torch.equal(ours, first)  # the same bits on all ranks


@pytest.mark.parametrize("world_size", [1, 2, 5])
def test_a_tree_starts_at_any_root(ranks, world_size):
    """Ranks counted from 0 where they must be counted from the root."""

    def check(group):
        for root in {0, 1, group.size() - 1} & {*range(group.size())}:
            x = drawn(group.rank(), 7)
            tree_broadcast(x, Wire(group), root)
            assert torch.equal(x, drawn(root, 7))
            x = drawn(group.rank(), 7)
            tree_reduce(x, Wire(group), root)
            if group.rank() == root:
                total = sum(drawn(r, 7) for r in range(group.size()))
                torch.testing.assert_close(x, total)

    ranks(world_size)(check)


def test_a_tree_takes_log_w_rounds(ranks):
    """The root sends to each rank itself: W - 1 rounds instead of log2 W."""

    def sends(group):
        wire = Wire(group)
        tree_broadcast(torch.zeros(3), wire, 0)
        return wire.messages

    assert ranks(5)(sends) == [3, 1, 0, 0, 0]
    assert ranks(4)(sends) == [2, 1, 0, 0]


@pytest.mark.parametrize("world_size", WORLDS)
def test_the_two_halves_of_a_ring(ranks, world_size):
    """A rank that ends with its neighbour's chunk, which an all-reduce, where
    all end with all, does not show."""

    def check(group):
        x = drawn(group.rank(), 11).view(11, 1)
        chunks = [*x.tensor_split(group.size())]
        ring_reduce_scatter(chunks, Wire(group))
        total = sum(drawn(r, 11) for r in range(group.size())).view(11, 1)
        wanted = total.tensor_split(group.size())
        torch.testing.assert_close(chunks[group.rank()], wanted[group.rank()])
        for i, chunk in enumerate(chunks):
            if i != group.rank():
                chunk.fill_(float("nan"))
        ring_all_gather(chunks, Wire(group))
        torch.testing.assert_close(x, total)

    ranks(world_size)(check)


@pytest.mark.parametrize("world_size", WORLDS)
def test_an_all_to_all_transposes(ranks, world_size):
    """Sent and received mixed up: the same where all messages are alike, so
    each here has its own length, one of them none."""

    def check(group):
        me, size = group.rank(), group.size()

        def message(source, to):
            return torch.full((source * size + to,), 10.0 * source + to)

        sent = [message(me, to) for to in range(size)]
        got = [torch.empty_like(message(source, me)) for source in range(size)]
        all_to_all(sent, got, Wire(group))
        for source in range(size):
            assert torch.equal(got[source], message(source, me))

    ranks(world_size)(check)


@pytest.mark.parametrize("world_size", WORLDS)
def test_a_ring_sends_the_least_there_is(ranks, world_size):
    """2(W - 1)/W of the tensor per rank: any more is a copy too many."""

    def sent(group):
        x = torch.zeros(60, 4, dtype=torch.bfloat16)
        wire = Wire(group)
        ring_all_reduce(x, wire)
        return wire.sent, wire.messages

    bytes_ = 60 * 4 * 2
    rounds = 2 * (world_size - 1)
    wanted = (bytes_ * rounds // world_size, rounds)
    assert ranks(world_size)(sent) == [wanted] * world_size


def test_two_large_messages_cross_on_an_exchange(ranks):
    """Both ranks send and neither listens: small messages fit into the
    system's buffers, large ones block for ever."""

    def cross(group):
        other = 1 - group.rank()
        x, y = (
            torch.full((4_000_000,), 1.0 * group.rank()),
            torch.empty(4_000_000),
        )
        Wire(group).exchange(x, other, y, other)
        return y[-1].item()

    assert ranks(2)(cross) == [1.0, 0.0]


def test_a_tensor_that_would_be_changed_as_a_copy_is_refused():
    """The caller's transposed tensor keeps its old values, without a word."""

    def reduce(group):
        ring_all_reduce(torch.zeros(4, 3).T, Wire(group))

    with pytest.raises(RankError, match=r"not contiguous.*keep it"):
        run(reduce, 2)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda w: tree_broadcast(torch.ones(1), w, 2), "no rank 2.*0 to 1"),
        (lambda w: w.send(torch.ones(1), -1), "no rank -1"),
        (lambda w: w.receive(torch.ones(1), 2), "no rank 2"),
        (lambda w: ring_all_gather([torch.ones(1)], w), "1 chunks for 2"),
        (lambda w: all_to_all([], [], w), "0 chunks for 2"),
    ],
)
def test_what_has_no_place_in_the_group_is_refused(call, told):
    """A negative rank wraps around to another one, and a missing chunk is
    waited for."""
    with pytest.raises(RankError, match=told):
        run(lambda group: call(Wire(group)), 2)


def test_chunks_are_views_of_the_tensor(ranks):
    """Chunks that are copies: the sum is computed and thrown away."""

    def check(group):
        x = torch.zeros(5)
        for i, chunk in enumerate(split_for(x, Wire(group))):
            chunk.fill_(i)
        return x.tolist()

    assert ranks(2)(check)[0] == [0, 0, 0, 1, 1]
