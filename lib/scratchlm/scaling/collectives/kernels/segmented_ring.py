"""The ring all-reduce in segments: one is added while the next travels."""

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch import distributed as dist

from scratchlm.scaling.collectives.collectives import (
    Wire,
    ring_all_gather,
    split_for,
)

# Measured on two cores: 4 MB is as good, a quarter of it is a fifth slower.
SEGMENT = 1 << 20  # bytes
AHEAD = 2  # segments: one is added, one arrives


def segmented_all_reduce(
    x: Shaped[Tensor, "..."], wire: Wire, segment: int = SEGMENT
) -> None:
    """Give each rank the sum, in place, as ``ring_all_reduce`` does.

    The same chunks go the same way and are added in the same order, so that
    the bits are the same too. But a chunk goes in segments: one is added
    while the next arrives, and what arrives takes little memory, which stays
    in the processor's cache.

    Args:
        x: contiguous, of the same shape on each rank.
        wire: of this rank.
        segment: bytes of one message; 1 or more.

    Raises:
        ValueError: x isn't contiguous, or the segment has no byte.
    """
    if segment < 1:
        raise ValueError(f"segment is {segment} bytes; give 1 or more")
    chunks = split_for(x, wire)
    n = max(1, segment // x.element_size())
    rank, size = wire.rank, wire.size
    space = [x.new_empty(min(n, len(chunks[0]))) for _ in range(AHEAD)]
    for step in range(size - 1):
        _pass_on(
            torch.split(chunks[(rank - step - 1) % size], n),
            torch.split(chunks[(rank - step - 2) % size], n),
            space,
            wire,
        )
    ring_all_gather(chunks, wire)


def _pass_on(
    going: tuple[Tensor, ...],
    coming: tuple[Tensor, ...],
    space: list[Tensor],
    wire: Wire,
) -> None:
    """Send segments to the right, and add to ours those from the left."""
    right, left = (wire.rank + 1) % wire.size, (wire.rank - 1) % wire.size

    def receive(i: int) -> None:
        if i < len(coming):
            into[i] = space[i % AHEAD][: len(coming[i])]
            works[i] = wire.start_receive(into[i], left, tag=i)

    into: dict[int, Tensor] = {}
    works: dict[int, dist.Work] = {}
    sends = [wire.start_send(x, right, tag=i) for i, x in enumerate(going)]
    for i in range(AHEAD):
        receive(i)
    for i, x in enumerate(coming):
        works[i].wait()
        x.add_(into[i])
        receive(i + AHEAD)
    for send in sends:
        send.wait()
