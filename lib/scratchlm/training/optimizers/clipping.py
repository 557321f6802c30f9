"""The length of a gradient, and its bound."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor


def gradient_norm(parameters: Iterable[Tensor]) -> Float[Tensor, ""]:
    """Return the length of all gradients as one vector.

    Args:
        parameters: those without a gradient count nothing.
    """
    norms = [
        torch.linalg.vector_norm(p.grad, dtype=torch.float32)
        for p in parameters
        if p.grad is not None
    ]
    if not norms:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(norms))


@torch.no_grad()
def clip_gradients(
    parameters: Iterable[Tensor],
    longest: float,
    *,
    length: Callable[[Iterable[Tensor]], Float[Tensor, ""]] = gradient_norm,
) -> Float[Tensor, ""]:
    """Shorten the gradient, as one vector, to a bound.

    Its direction stays. It is done once for a step: after the sum over
    micro-batches, and before an optimizer that has a length of its own.

    Args:
        parameters: their gradients are changed in place.
        longest: the bound.
        length: called with the parameters. Where other processes hold other
            parts of the gradient, theirs count too.

    Returns:
        The length before. Where it is not finite, nothing is changed: a
        factor would turn an infinite gradient into not-a-number and all the
        others into zero.

    Raises:
        ValueError: ``longest`` is not above 0.

    Source: Pascanu et al. 2013, "On the difficulty of training recurrent
    neural networks", algorithm 1.
    """
    if not longest > 0:
        raise ValueError(f"longest is {longest}; give a number above 0")
    parameters = list(parameters)
    norm = length(parameters)
    if norm > longest and norm.isfinite():
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(longest / norm)
    return norm
