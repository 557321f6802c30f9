"""Backward passes whose gradients are summed over ranks on the way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed import ProcessGroup

from scratchlm.scaling.data_parallel.buckets import (
    MIB,
    Bucket,
    plan_buckets,
)


@runtime_checkable
class Pending(Protocol):
    """A collective that goes on while we do something else."""

    def wait(self) -> object:
        """Return once it is done."""


Start = Callable[[Tensor, ProcessGroup], Pending]


def start_sum(x: Float[Tensor, " n"], group: ProcessGroup) -> Pending:
    """Begin to sum a vector over ranks, in place.

    Args:
        x: must be left alone until the sum is done.
        group: whose ranks take part.
    """
    work = dist.all_reduce(x, group=group, async_op=True)
    assert work is not None  # none for a rank outside of the group
    return work


class DataParallel:
    """Sum gradients over ranks while the backward pass still runs.

    The model stays as it is, and knows nothing of ranks. Each rank gives
    the loss of its own rows, divided by the count of *all* ranks, so that
    the sum of gradients is the gradient of the whole batch. Nothing is
    divided here::

        parallel = DataParallel(model, group)
        for part in parts:
            parallel.backward(share_of(part), last=part is parts[-1])
        optimizer.step()
        optimizer.zero_grad()

    After the last backward pass of a step each ``grad`` is the sum, on every
    rank; it is None where no rank used the parameter. A rank that used fewer
    parameters than others adds zeros, and none waits for ever. Buffers are
    left alone (``broadcast_buffers``).

    Args:
        model: the same on all ranks (``require_same``).
        group: whose ranks take part.
        most: bytes of a bucket.
        first: bytes of the first bucket.
        overlap: whether a bucket goes off when its last gradient arrives;
            otherwise all go after the backward pass.
        start: how the sum of a vector is begun.
        before: is shown this rank's gradients, bucket by bucket, before they
            are summed.

    Raises:
        ValueError: no parameter is trained.

    Source: Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating
    Data Parallel Training", section 3.2.
    """

    def __init__(  # noqa: PLR0913
        self,
        model: nn.Module,
        group: ProcessGroup,
        *,
        most: int = 25 * MIB,
        first: int = MIB,
        overlap: bool = True,
        start: Start = start_sum,
        before: Callable[[Tensor], object] | None = None,
    ):
        self.model, self.group = model, group
        self.overlap, self._start, self._before = overlap, start, before
        trained = [p for p in model.parameters() if p.requires_grad]
        if not trained:
            raise ValueError(
                "no parameter of the model is trained; set requires_grad of "
                "some before"
            )
        self.buckets = [
            Bucket(some)
            for some in plan_buckets(trained, most=most, first=first)
        ]
        self._hooks = [
            when_ready(p, partial(self._arrived, bucket, index))
            for bucket in self.buckets
            for index, p in enumerate(bucket.parameters)
        ]
        self._inside, self._begun = False, False
        self._waiting: list[Bucket] = []
        self._pending: list[Pending] = []

    def backward(
        self, loss: Float[Tensor, ""] | None, *, last: bool = True
    ) -> None:
        """Add the gradients of a loss, and sum over ranks if it is the last.

        Every rank makes the last call of a step; before it, each may make as
        many as it has micro-batches.

        Args:
            loss: this part's share of the loss of all ranks, or None of a
                rank that has no rows.
            last: whether the step's gradients are complete with this one.

        Raises:
            ValueError: gradients of the last step are still there.
        """
        with self.summing(last=last):
            if loss is not None:
                loss.backward()  # type: ignore[no-untyped-call]  # torch's

    @contextmanager
    def summing(self, *, last: bool = True) -> Iterator[None]:
        """Let a backward pass run inside, whoever starts it.

        Args:
            last: whether the step's gradients are complete with this one.

        Raises:
            ValueError: gradients of the last step are still there.
        """
        if not self._begun:
            self._begin()
        if last:
            self._waiting = list(self.buckets)
            for bucket in self.buckets:
                bucket.awaited = set(range(len(bucket.parameters)))
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
        if last:
            self._finish()

    def close(self) -> None:
        """Take the hooks off the model, which is as it was."""
        for hook in self._hooks:
            hook.remove()

    def _begin(self) -> None:
        for bucket in self.buckets:
            if any(p.grad is not None for p in bucket.parameters):
                raise ValueError(
                    "gradients of the last step are still there, and are "
                    "sums over ranks already; call optimizer.zero_grad() "
                    "after each step, with set_to_none=True"
                )
            bucket.begin()
        self._begun = True

    def _arrived(self, bucket: Bucket, index: int, p: Tensor) -> None:
        if not self._inside:
            raise ValueError(
                "a backward pass of its own would leave its gradients on "
                "this rank; call backward of DataParallel with the loss, or "
                "close it first"
            )
        if p.grad is None:  # of a split backward pass, which gives it later
            return
        bucket.take(index)
        bucket.awaited.discard(index)
        # In one order on all ranks, whatever arrives first on each.
        while self.overlap and self._waiting and not self._waiting[0].awaited:
            self._send(self._waiting.pop(0))

    @torch.no_grad()
    def _send(self, bucket: Bucket) -> None:
        bucket.close()
        if self._before is not None:
            self._before(bucket.gradients)
        self._pending.append(self._start(bucket.flat, self.group))

    def _finish(self) -> None:
        while self._waiting:
            self._waiting[0].take_rest()
            self._send(self._waiting.pop(0))
        for pending in self._pending:
            pending.wait()
        self._pending.clear()
        for bucket in self.buckets:
            bucket.give()
        self._begun = False


def when_ready(p: nn.Parameter, call: Callable[[Tensor], None]) -> Any:
    """Let a function be called each time a gradient is complete.

    Args:
        p: whose gradient.
        call: with the parameter.

    Returns:
        A handle, whose ``remove`` ends it.
    """
    register: Callable[..., Any] = p.register_post_accumulate_grad_hook
    return register(call)
