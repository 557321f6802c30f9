"""A rank that is slow, and ranks that only wait for it."""

import time

import pytest
import torch
from torch import distributed as dist

from scratchlm.scaling.launching.stragglers import (
    OwnTime,
    gather_laps,
    slow_ranks,
    waits,
)


def steps_with_one_slow(group, slow, n_steps, unit):
    """Each step: some work of one's own, and two ways to wait for others."""
    x = torch.ones(4)
    laps, walls = [], []
    with OwnTime(period=0.002) as own:
        for _ in range(n_steps):
            start = time.perf_counter()
            time.sleep(unit * (3 if group.rank() == slow else 1))
            dist.all_reduce(x, group=group)
            time.sleep(unit * (3 if group.rank() == slow else 1))
            work = dist.all_reduce(x, group=group, async_op=True)
            work.wait()
            laps.append(own.lap())
            walls.append(time.perf_counter() - start)
    seconds = gather_laps(laps, group)
    return slow_ranks(seconds), sum(walls), sum(laps)


def test_the_rank_that_others_wait_for_is_found(ranks):
    """Times of whole steps are equal on all ranks: nobody is slow, and
    everybody is."""
    found = ranks(4)(steps_with_one_slow, 2, 5, 0.03)
    for slow, wall, own in found:
        assert [each.rank for each in slow] == [2]
        assert 1.5 < slow[0].factor < 5
        assert own < wall
    assert "rank 2 needs" in str(found[0][0][0])


def test_where_all_are_alike_nobody_is_slow(ranks):
    """An alarm that rings always is switched off."""
    for slow, _, _ in ranks(4)(steps_with_one_slow, None, 5, 0.02):
        assert slow == []


def even(n_ranks=4, n_steps=20):
    draw = torch.Generator().manual_seed(0)
    noise = torch.rand(n_ranks, n_steps, dtype=torch.float64, generator=draw)
    return 1 + 0.1 * noise


def test_one_slow_step_is_no_slow_rank():
    """A mean and a standard deviation: one pause of the disk, and the rank
    is exchanged."""
    seconds = even()
    seconds[1, 7] = 100.0
    assert slow_ranks(seconds) == []


def test_a_slow_rank_is_found_beside_single_slow_steps():
    """A pause elsewhere, which makes the standard deviation so large that
    nothing is outside of it."""
    seconds = even()
    seconds[3] *= 1.5
    seconds[0, 5] = seconds[1, 2] = 50.0
    (slow,) = slow_ranks(seconds)
    assert slow.rank == 3
    assert slow.factor == pytest.approx(1.5, rel=0.1)


def test_of_two_ranks_the_slow_one_is_found():
    """Two ranks are equally far from their median."""
    seconds = even(2)
    seconds[0] *= 2
    assert [slow.rank for slow in slow_ranks(seconds)] == [0]


def test_the_slowest_stands_first():
    """Two ranks on one hot node."""
    seconds = even(8)
    seconds[2] *= 1.6
    seconds[5] *= 3
    assert [slow.rank for slow in slow_ranks(seconds)] == [5, 2]


def test_a_rank_is_not_slow_within_what_steps_differ_by():
    """Steps of rows of very different lengths."""
    draw = torch.Generator().manual_seed(1)
    seconds = torch.rand(4, 50, dtype=torch.float64, generator=draw) * 4
    seconds[2] += 0.5
    assert slow_ranks(seconds, factor=1.1) == []


@pytest.mark.parametrize("shape", [(1, 5), (3, 0)])
def test_a_rank_alone_is_not_slow(shape):
    """A quantile of nothing."""
    with pytest.raises(ValueError, match="give 1 step or more of 2 ranks"):
        slow_ranks(torch.zeros(shape, dtype=torch.float64))


def test_what_counts_as_a_wait():
    """A method of another's name taken for a wait, or a wait for work that
    was begun elsewhere taken for computing."""
    assert waits(
        "/x/torch/distributed/distributed_c10d.py", "", innermost=True
    )
    assert waits("/x/units.py", "    self._work.wait()", innermost=True)
    assert not waits("/x/units.py", "    self._work.wait()", innermost=False)
    assert not waits("/x/units.py", "    await_all(x)", innermost=True)
