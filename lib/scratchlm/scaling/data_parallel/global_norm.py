"""The length of a gradient of which ranks hold parts."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch import distributed as dist


def global_norm(
    parts: Iterable[Tensor],
    group: dist.ProcessGroup,
    *,
    copies: Iterable[Tensor] = (),
) -> Float[Tensor, ""]:
    """Return the 2-norm of all ranks' gradients, each number counted once.

    Args:
        parts: parameters whose gradients this rank alone has; those without
            a gradient count nothing.
        group: whose ranks take part.
        copies: parameters whose gradients every rank has.

    Returns:
        The norm in double precision, the same on each rank.
    """
    total = _squares(parts)
    dist.all_reduce(total, group=group)
    return (total + _squares(copies)).sqrt()


def _squares(parameters: Iterable[Tensor]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for p in parameters:
        if p.grad is not None:
            total += p.grad.detach().double().square().sum().cpu()
    return total
