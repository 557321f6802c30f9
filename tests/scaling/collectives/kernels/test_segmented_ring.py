"""The ring in segments: the same bits as the plain one."""

import pytest
import torch

from scratchlm.scaling.collectives.collectives import Wire, ring_all_reduce
from scratchlm.scaling.collectives.kernels.segmented_ring import (
    segmented_all_reduce,
)
from scratchlm.scaling.collectives.local import RankError, run


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
def test_segments_change_no_bit(ranks, world_size):
    """A segment that arrives in another's place, where a chunk has more
    segments than there is space for, a last one that is shorter, or none."""

    def check(group):
        generator = torch.Generator().manual_seed(group.rank())
        for n in (0, 1, 2, 10, 1001):
            x = torch.randn(n, generator=generator)
            y = x.clone()
            one, other = Wire(group), Wire(group)
            ring_all_reduce(x, one)
            segmented_all_reduce(y, other, segment=40)
            assert torch.equal(x, y)
            assert one.sent == other.sent

    ranks(world_size)(check)


@pytest.mark.parametrize(
    ("x", "segment", "told"),
    [
        (torch.zeros(3), 0, "segment is 0 bytes"),
        (torch.zeros(4, 3).T, 8, "not contiguous"),
    ],
)
def test_what_cannot_be_cut_is_refused(x, segment, told):
    """Segments of no length: a loop that never ends."""
    with pytest.raises(RankError, match=told):
        run(lambda g: segmented_all_reduce(x, Wire(g), segment), 2)
