"""The loss of all ranks as one sum over one count."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor
from torch import distributed as dist
from torch.distributed import ProcessGroup

from scratchlm.scaling.collectives.conjugate import sum_over
from scratchlm.training.objective.loss import Loss, n_valid
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

# Called with the model and some rows; returns the sum of their nats and the
# count of their valid tokens.
Objective = Callable[[Any, TokenBatch], Loss]


@runtime_checkable
class SumsGradients(Protocol):
    """A model on several ranks, as ``DataParallel`` has it."""

    model: Any
    group: ProcessGroup

    def backward(self, loss: Tensor | None, *, last: bool = True) -> None:
        """Add the gradients of a loss, or of none."""


def rank_rows(batch: TokenBatch, group: ProcessGroup) -> TokenBatch:
    """Return the rows of a step that are this rank's.

    Args:
        batch: all rows of the step, the same on all ranks.
        group: whose ranks share them; numbers of rows differ by one at most.

    Raises:
        ValueError: there are fewer rows than ranks.
    """
    if len(batch.tokens) < group.size():
        raise ValueError(
            f"{len(batch.tokens)} rows for {group.size()} ranks; give each "
            f"rank one row or more"
        )
    return list(micro_batches(batch, group.size()))[group.rank()]


def sum_over_ranks(
    x: Int[Tensor, ""] | int, group: ProcessGroup
) -> Int[Tensor, ""]:
    """Return the sum of a whole number over ranks.

    Args:
        x: a count; it is left as it is.
        group: whose ranks take part.
    """
    return sum_over(torch.as_tensor(x), group)


def sum_gradients(
    parallel: SumsGradients,
    objective: Objective,
    rows: TokenBatch | None,
    *,
    n_micro: int = 1,
) -> Loss:
    """Leave the gradient of the mean loss of all ranks' rows in each grad.

    The mean is over the valid tokens of all ranks and micro-batches: every
    token weighs the same, wherever it is computed.

    Args:
        parallel: the model, and the ranks.
        objective: the loss of some rows.
        rows: of this rank; None where it has none. Their number, and that of
            their valid tokens, may differ from rank to rank.
        n_micro: parts in which this rank computes its rows, one after
            another. Ranks may differ in it.

    Returns:
        The loss of all ranks. Without a valid token on any of them there is
        no gradient.

    Raises:
        ValueError: there are fewer rows than parts.
    """
    parts = [] if rows is None else list(micro_batches(rows, n_micro))
    own = sum(int(n_valid(part.targets)) for part in parts)
    told = torch.tensor([own, len(parts)])
    every = [torch.zeros_like(told) for _ in range(parallel.group.size())]
    dist.all_gather(every, told, group=parallel.group)
    count, most = torch.stack(every).sum(0)[0], max(int(n) for _, n in every)
    # Of one type on all ranks, also on those that compute no loss.
    nats = torch.zeros((), dtype=torch.float64)
    if count == 0:  # on all ranks alike
        return Loss(nats, count)
    for turn in range(most):
        share = None
        if turn < len(parts):
            loss = objective(parallel.model, parts[turn])
            nats += loss.total.detach().cpu()
            share = loss.over(count)
        parallel.backward(share, last=turn == most - 1)
    dist.all_reduce(nats, group=parallel.group)
    return Loss(nats, count)
