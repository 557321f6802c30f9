"""Sums of gradients once the backward pass is over: plain, then flat."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed import ProcessGroup


def sum_each(parameters: Iterable[Tensor], group: ProcessGroup) -> None:
    """Sum the gradients of all ranks, one parameter after another.

    Args:
        parameters: the same on all ranks, in one order; one without a
            gradient counts as zero. Their gradients are changed in place.
        group: whose ranks take part.
    """
    for parameter in parameters:
        if parameter.grad is None:  # the other ranks wait for this one too
            parameter.grad = torch.zeros_like(parameter)
        dist.all_reduce(parameter.grad, group=group)


def sum_flat(parameters: Iterable[Tensor], group: ProcessGroup) -> None:
    """Sum the gradients of all ranks as one vector.

    Args:
        parameters: the same on all ranks, in one order, and of one type; one
            without a gradient counts as zero. Their gradients are changed.
        group: whose ranks take part.
    """
    parameters = list(parameters)
    gradients = (
        torch.zeros_like(p) if p.grad is None else p.grad for p in parameters
    )
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat, group=group)
    parts = torch.split(flat, [p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)
