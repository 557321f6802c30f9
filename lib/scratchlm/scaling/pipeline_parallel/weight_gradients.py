"""Backward in two halves: inputs at once, weights later."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Work = list[Callable[[], None]]


class WeightGradients(TorchFunctionMode):
    """Put the gradients of linear layers' weights off.

    What runs under it is differentiated as ever, but a backward computes
    the gradients of inputs alone, which other stages wait for. Those of
    matrices wait for :meth:`compute`. All else has its gradients at once:
    norms, shifts and embeddings cost next to nothing, and so do the weights
    that something else than a linear layer multiplies by, which are few.

    ::

        with WeightGradients() as later:
            y = stage(x)
        y.backward(gradient)  # x.grad is there
        later.compute()       # the weights' too

    Source: Qi et al. 2023, "Zero Bubble Pipeline Parallelism", section 2.
    """

    def __init__(self) -> None:
        super().__init__()
        self._work: Work = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Give linear layers a backward in two halves."""
        if func is F.linear and torch.is_grad_enabled():
            x, weight, *bias = (*args, *(kwargs or {}).values())
            # A weight that is itself computed has no gradient to add to.
            if weight.requires_grad and weight.is_leaf:
                apply: Callable[..., Tensor] = _Linear.apply
                return apply(x, weight, bias[0] if bias else None, self._work)
        return func(*args, **(kwargs or {}))

    def compute(self) -> None:
        """Add the gradients of the weights, and let go of what they need.

        What has no backward behind it adds nothing.
        """
        while self._work:
            self._work.pop()()


class _Linear(torch.autograd.Function):
    """``x @ weight.T + bias``; its backward leaves the weight's as work."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        work: Work,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.work = work
        return F.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        ctx.work.append(partial(_add, weight, x, rows))
        needs_x, _, needs_bias, _ = ctx.needs_input_grad
        return (
            gradient @ weight if needs_x else None,
            None,
            rows.sum(0) if needs_bias else None,
            None,
        )


@torch.no_grad()
def _add(
    weight: Float[Tensor, "out in"],
    x: Float[Tensor, "*B in"],
    rows: Float[Tensor, "rows out"],
) -> None:
    # The order of factors of PyTorch's own backward, for the same bits.
    due = rows.T @ x.flatten(0, -2)
    weight.grad = due if weight.grad is None else weight.grad.add_(due)
