"""Downhill: stochastic gradient descent, with and without momentum."""

from typing import Any

import torch
from torch import Tensor

from scratchlm.training.optimizers.per_parameter import (
    Parameters,
    PerParameter,
)


class SGD(PerParameter):
    """Step against the gradient, or against a running sum of gradients.

    Equal to ``torch.optim.SGD``.

    Args:
        params: tensors, or groups of them.
        lr: the learning rate: how far a step goes for a gradient of 1.
        momentum: what part of the sum survives a step; 0 for no sum.
        nesterov: step along the gradient and the sum that already holds it,
            which looks one step ahead.
        weight_decay: this times the parameter is added to its gradient.

    Raises:
        ValueError: a setting is out of range.

    Source: Polyak 1964, "Some methods of speeding up the convergence of
    iteration methods"; Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning".
    """

    def __init__(
        self,
        params: Parameters,
        lr: float,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        settings = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
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
        g = gradient + group["weight_decay"] * parameter
        velocity = state.setdefault("velocity", torch.zeros_like(parameter))
        velocity.mul_(group["momentum"]).add_(g)
        ahead = g + group["momentum"] * velocity
        parameter -= group["lr"] * (ahead if group["nesterov"] else velocity)
