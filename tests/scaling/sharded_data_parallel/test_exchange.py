"""Gathers and scattered sums, against what they say they are."""

import torch
from torch import distributed as dist

from scratchlm.scaling.sharded_data_parallel.exchange import (
    ScatteredSum,
    start_gather,
)


def gathered(group, dtype):
    full = torch.full((3 * group.size(),), -1.0, dtype=dtype)
    rank = group.rank()
    full[3 * rank : 3 * rank + 3] = torch.arange(3.0) + 10 * rank
    start_gather(full, group).wait()
    return full


def test_each_rank_has_all_parts(ranks):
    """A part at another rank's place; an own part that is overwritten."""
    for dtype in (torch.float32, torch.bfloat16):
        for full in ranks(3)(gathered, dtype):
            assert full.tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22]


def scattered(group):
    x = torch.arange(6.0) * 10.0 ** group.rank()
    total = torch.ones(2)
    ScatteredSum(x, group).add_to(total)
    return total.tolist()


def test_each_rank_has_its_part_of_the_sum(ranks):
    """The sum of a part that is another rank's; a total that is replaced."""
    found = ranks(3)(scattered)
    assert found == [[1, 112], [223, 334], [445, 556]]


def rounded(group):
    """Sums of many small numbers to a large one, in bfloat16 on the way."""
    large = 256.0 if group.rank() == 0 else 0.5
    x = torch.full((group.size(),), large, dtype=torch.bfloat16)
    total = torch.zeros(1)
    ScatteredSum(x, group).add_to(total)
    dist.all_reduce(x, group=group)
    return float(total), float(x[0])


def test_sums_have_more_bits_than_what_is_sent(ranks):
    """Each addition rounded to eight bits: 256 and 0.5 are 256."""
    for ours, plain in ranks(3)(rounded):
        assert ours == 257.0
        assert plain < 257.0
