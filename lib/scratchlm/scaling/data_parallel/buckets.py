"""Gradients that travel together, as views of one tensor."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MIB = 1 << 20


class Bucket:
    """The gradients of some parameters in one piece of memory.

    ::

        [ gradient of p0 | gradient of p1 | ... | used: one for each p ]

    The last numbers are one where this rank has a gradient and zero where it
    has none. They are summed with the rest, so that all ranks learn which
    parameters any of them used.

    Args:
        parameters: of one type, on one device.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]):
        self.parameters = list(parameters)
        sizes = [p.numel() for p in self.parameters]
        first = self.parameters[0]
        n = sum(sizes)
        self.flat = torch.zeros(
            n + len(sizes), dtype=first.dtype, device=first.device
        )
        self.gradients, self.used = self.flat[:n], self.flat[n:]
        self.views = [
            part.view_as(p)
            for part, p in zip(
                torch.split(self.gradients, sizes),
                self.parameters,
                strict=True,
            )
        ]
        self.begin()

    def begin(self) -> None:
        """Forget the gradients of the last step."""
        self.held: set[int] = set()  # have a gradient of this step
        self.awaited: set[int] = set()  # of the backward pass that runs

    def take(self, index: int) -> None:
        """Move a gradient in, where further backward passes add to it.

        Args:
            index: of a parameter, which has a gradient.
        """
        parameter, view = self.parameters[index], self.views[index]
        if parameter.grad is not view:
            assert parameter.grad is not None
            view.copy_(parameter.grad)
            parameter.grad = view
        self.held.add(index)

    def take_rest(self) -> None:
        """Move in what came without a word, as split backward passes do."""
        for index, p in enumerate(self.parameters):
            if index not in self.held and p.grad is not None:
                self.take(index)

    def close(self) -> None:
        """Make ready to be summed: zeros for gradients that do not exist."""
        for index, view in enumerate(self.views):
            if index not in self.held:
                view.zero_()
            self.used[index] = index in self.held

    def give(self) -> None:
        """Hand out the sums; None where no rank has a gradient."""
        for p, view, n_ranks in zip(
            self.parameters, self.views, self.used.tolist(), strict=True
        ):
            p.grad = view if n_ranks else None


def plan_buckets(
    parameters: Sequence[nn.Parameter],
    *,
    most: int = 25 * MIB,
    first: int = MIB,
) -> list[list[nn.Parameter]]:
    """Sort parameters into buckets, in the order in which gradients arrive.

    A backward pass reaches the last parameter first. The first bucket is
    small, so that the network gets something to do early.

    Args:
        parameters: in the order in which a forward pass uses them.
        most: bytes of gradients after which a bucket is full; a parameter
            is never cut.
        first: the same for the first bucket.

    Raises:
        ValueError: a bound is below 1.

    Source: Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating
    Data Parallel Training", section 3.2.3.
    """
    for name, bound in (("most", most), ("first", first)):
        if bound < 1:
            raise ValueError(f"{name} is {bound} bytes; give 1 or more")
    done: list[list[nn.Parameter]] = []
    filling: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
    for p in reversed(parameters):
        bucket = filling.setdefault((p.dtype, p.device), [])
        bucket.append(p)
        if n_bytes(bucket) >= (most if done else first):
            done.append(filling.pop((p.dtype, p.device)))
    return done + list(filling.values())


def n_bytes(tensors: Sequence[Tensor]) -> int:
    """Return how much memory the numbers of tensors take.

    Args:
        tensors: that do not share memory.
    """
    return sum(x.numel() * x.element_size() for x in tensors)
