"""Weights that the first and the last stage share, and norms over ranks."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.scaling.collectives.collectives import Wire
from scratchlm.scaling.data_parallel.global_norm import global_norm
from scratchlm.scaling.pipeline_parallel.stages import Stage
from scratchlm.training.optimizers import clipping


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
    Wire(group).exchange(mine, other, theirs, other)
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
    return global_norm(own_parameters(stages), group)


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
    every = {
        id(weight): weight
        for stage in stages.values()
        for weight in stage.parameters()
    }
    return clipping.clip_gradients(
        every.values(),
        longest,
        length=lambda _: gradient_norm(stages, group),
    )
