"""Weights that the first and the last stage share, and norms over ranks."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.scaling.pipeline_parallel.stages import Stage


def add_shared_gradients(
    mine: Float[Tensor, "V D"], group: dist.ProcessGroup, other: int
) -> Float[Tensor, "V D"]:
    """Return the sum of the gradients of two copies of a weight.

    Both ranks call it, and get the same bits, since each adds the same two
    numbers: copies that start alike stay alike.

    Args:
        mine: the gradient of this rank's copy.
        group: all ranks.
        other: the rank of the other copy.
    """
    mine = mine.contiguous()
    theirs = torch.empty_like(mine)
    sending = dist.isend(mine, group=group, group_dst=other)
    taking = dist.irecv(theirs, group=group, group_src=other)
    assert sending is not None
    assert taking is not None
    taking.wait()
    sending.wait()
    return mine + theirs


def own_parameters(stages: Mapping[int, Stage]) -> list[nn.Parameter]:
    """Return the parameters of which this rank has the one that counts.

    Together the ranks have each parameter of the model once: of a tied
    weight the embedding's copy counts, and the head's does not.

    Args:
        stages: of this rank.
    """
    copies = [
        stage.shared_weight
        for stage in stages.values()
        if stage.head is not None
    ]
    found: dict[int, nn.Parameter] = {
        id(weight): weight
        for stage in stages.values()
        for weight in stage.parameters()
        if not any(weight is copy for copy in copies)
    }
    for stage in stages.values():
        if stage.embedding is not None:
            found |= {id(w): w for w in stage.embedding.parameters()}
    return [*found.values()]


def gradient_norm(
    stages: Mapping[int, Stage], group: dist.ProcessGroup
) -> Float[Tensor, ""]:
    """Return the length of the gradient of the whole model.

    Every rank gets it, so that all clip alike.

    Args:
        stages: of this rank.
        group: all ranks.
    """
    total = torch.zeros((), dtype=torch.float64)
    for weight in own_parameters(stages):
        if weight.grad is not None:
            norm = torch.linalg.vector_norm(weight.grad, dtype=torch.float32)
            total += norm.double().square()
    dist.all_reduce(total, group=group)
    return total.sqrt().float()


@torch.no_grad()
def clip_gradients(
    stages: Mapping[int, Stage],
    group: dist.ProcessGroup,
    longest: float,
) -> Float[Tensor, ""]:
    """Shorten the gradient of the whole model, as one vector, to a bound.

    Args:
        stages: of this rank; their gradients are changed in place.
        group: all ranks; each calls it.
        longest: the bound.

    Returns:
        The length before. Where it is not finite, nothing is changed.

    Raises:
        ValueError: ``longest`` is not above 0.
    """
    if not longest > 0:
        raise ValueError(f"longest is {longest}; give a number above 0")
    norm = gradient_norm(stages, group)
    if norm > longest and norm.isfinite():
        every = {
            id(weight): weight
            for stage in stages.values()
            for weight in stage.parameters()
        }
        for weight in every.values():
            if weight.grad is not None:
                weight.grad.mul_(longest / norm)
    return norm
