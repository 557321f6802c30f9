"""Each number its own step length: Adam, and AdamW, which decays apart."""

from typing import Any

import torch
from torch import Tensor

from scratchlm.training.optimizers.per_parameter import (
    Parameters,
    PerParameter,
)


class Adam(PerParameter):
    """Divide the mean gradient by the root of the mean square, entry by entry.

    Both are running means that start at zero, and a division undoes that
    start. Equal to ``torch.optim.Adam``.

    Args:
        params: tensors, or groups of them.
        lr: the learning rate: about how far each entry moves in a step.
        betas: what the running mean of gradients, and that of their squares,
            keep of themselves at each step.
        eps: added to the root, so that an entry without a gradient divides
            by something.
        weight_decay: this times the parameter is added to its gradient.

    Raises:
        ValueError: a setting is out of range.

    Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization",
    algorithm 1.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, settings)

    def update(
        self,
        parameter: Tensor,
        gradient: Tensor,
        state: dict[str, Any],
        group: dict[str, Any],
    ) -> None:
        """Move one parameter, in place."""
        decayed = gradient + group["weight_decay"] * parameter
        adam_step(parameter, decayed, state, group)


class AdamW(Adam):
    """Adam that shrinks the weights apart from the gradient.

    Adam divides what it is given by its typical size, so a decay that goes
    through the gradient shrinks weights with large gradients less. Here each
    shrinks alike. Equal to ``torch.optim.AdamW``.

    Args:
        params: tensors, or groups of them.
        lr: the learning rate: about how far each entry moves in a step.
        betas: what the running mean of gradients, and that of their squares,
            keep of themselves at each step.
        eps: added to the root, so that an entry without a gradient divides
            by something.
        weight_decay: a step shrinks each weight by ``lr`` times this.

    Raises:
        ValueError: a setting is out of range.

    Source: Loshchilov and Hutter 2019, "Decoupled Weight Decay
    Regularization", algorithm 2.
    """

    def update(
        self,
        parameter: Tensor,
        gradient: Tensor,
        state: dict[str, Any],
        group: dict[str, Any],
    ) -> None:
        """Move one parameter, in place."""
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        adam_step(parameter, gradient, state, group)


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    group: dict[str, Any],
) -> None:
    """Move one parameter by Adam's rule, in place.

    Args:
        parameter: what moves.
        gradient: of the loss.
        state: the two means, and the number of steps.
        group: ``lr``, ``betas`` and ``eps``.
    """
    if not state:
        state["steps"] = 0
        state["mean"] = torch.zeros_like(parameter)
        state["square"] = torch.zeros_like(parameter)
    state["steps"] += 1
    beta1, beta2 = group["betas"]
    state["mean"].lerp_(gradient, 1 - beta1)
    state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    # A mean that began at zero has seen this part of its weight so far.
    seen1 = 1 - beta1 ** state["steps"]
    seen2 = 1 - beta2 ** state["steps"]
    root = (state["square"].sqrt() / seen2**0.5).add_(group["eps"])
    parameter.addcdiv_(state["mean"], root, value=-group["lr"] / seen1)
