from itertools import accumulate

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from scratchlm.model.efficient_attention.live_memory import (
    LiveMemory,
    peak_bytes,
)


def allocator_peak(run):
    """What PyTorch's own allocator says, through its profiler."""
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True
    ) as record:
        run()
    events = record.profiler.kineto_results.events()
    events = [each for each in events if each.name() == "[memory]"]
    events.sort(key=lambda each: each.start_ns())
    return max(accumulate(each.nbytes() for each in events))


def test_the_peak_is_that_of_the_allocator():
    """A count that forgets what the backward pass keeps, or counts views."""
    weight = torch.randn(64, 256, requires_grad=True)
    x = torch.randn(512, 64)

    def run():
        hidden = (x @ weight).relu()
        (hidden.flatten() * 2).exp().sum().backward()
        weight.grad = None

    assert peak_bytes(run) == pytest.approx(allocator_peak(run), abs=100)


def test_what_is_dropped_no_longer_lives():
    """A running total in place of a peak."""
    with LiveMemory() as memory:
        for _ in range(3):
            x = torch.zeros(1000)
        kept = x[:10]
        del x
        assert memory.live == 4000  # the view holds the whole storage
        del kept
    assert memory.live == 0
    assert memory.peak == 8000  # the old one dies when the name moves on
    assert memory.operations["zeros"] == 3


def test_what_came_from_outside_is_not_counted():
    """An argument, or a view of it, that is taken for new memory."""
    x = torch.zeros(1000)
    assert peak_bytes(lambda: x[:500].view(10, 50).add_(1)) == 0
