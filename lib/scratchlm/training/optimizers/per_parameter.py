"""The loop over parameters that all optimizers share."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

# What torch's optimizers take: parameters, or groups with their settings.
Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]


class PerParameter(torch.optim.Optimizer):
    """An optimizer whose rule looks at one parameter at a time.

    It is an optimizer of torch's: groups of parameters have settings of their
    own, schedules write ``group["lr"]``, and ``state_dict`` saves it. A
    subclass says in ``update`` how one parameter moves.

    Args:
        params: tensors, or groups of them as torch takes them.
        defaults: the settings of groups that do not say otherwise.

    Raises:
        ValueError: a setting is out of range, or there are no parameters.
    """

    def __init__(self, params: Parameters, defaults: Mapping[str, Any]):
        super().__init__(params, dict(defaults))
        for group in self.param_groups:
            for name in ("lr", "weight_decay", "eps"):
                if group.get(name, 0.0) < 0:
                    raise ValueError(
                        f"{name} is {group[name]}; give 0 or more"
                    )
            for share in (group.get("momentum", 0.0), *group.get("betas", ())):
                if not 0 <= share < 1:
                    raise ValueError(
                        f"an average keeps {share} of what it was; give a "
                        "number from 0 to below 1"
                    )

    @torch.no_grad()
    def step(  # type: ignore[override]  # torch overloads it
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        """Move every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients first; its result is
                returned.
        """
        loss = evaluate(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    self.update(parameter, parameter.grad, state, group)
        return loss

    def update(
        self,
        parameter: Tensor,
        gradient: Tensor,
        state: dict[str, Any],
        group: dict[str, Any],
    ) -> None:
        """Move one parameter, in place.

        Args:
            parameter: what moves.
            gradient: of the loss; it is left as it is.
            state: what is remembered about this parameter; empty at first.
            group: the settings.
        """
        raise NotImplementedError


def evaluate(closure: Callable[[], float] | None) -> float | None:
    """Return the loss of a closure, which computes gradients; None of none.

    Args:
        closure: as ``step`` of an optimizer takes it.
    """
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()
