"""Any term of the loss, a block of positions at a time."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from scratchlm.model.transformer.loss import counted_targets
from scratchlm.training.objective.loss import Loss
from scratchlm.training.objective.terms import Term, wide


def chunked_term_loss(  # noqa: PLR0913
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    term: Term,
    *,
    ignore: int = -100,
    n_rows: int = 256,
) -> Loss:
    """Return ``term_loss`` without ever holding all logits.

    A block's logits become a number and a gradient on the way forward, and
    are dropped before the next block is made.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        term: what each position pays.
        ignore: the target of positions that do not count.
        n_rows: positions of a block.

    Raises:
        ValueError: a target is not in the vocabulary, or ``n_rows`` is
            below 1.
    """
    if n_rows < 1:
        raise ValueError(f"n_rows is {n_rows}; give 1 or more")
    counted = counted_targets(targets, len(weight), ignore)
    rows, at = x[counted], targets[counted]
    if not torch.is_grad_enabled():
        sums = [
            term(wide(F.linear(part, weight)), t).sum()
            for part, t in _blocks(rows, at, n_rows)
        ]
        return Loss(torch.stack(sums).sum(), counted.sum())
    if torch.is_autocast_enabled(x.device.type):
        half = torch.get_autocast_dtype(x.device.type)
        rows, weight = rows.to(half), weight.to(half)
    apply: Callable[..., Tensor] = _Chunked.apply
    return Loss(apply(rows, weight, at, term, n_rows), counted.sum())


def _blocks(x: Tensor, at: Tensor, n_rows: int) -> list[tuple[Tensor, Tensor]]:
    return list(
        zip(torch.split(x, n_rows), torch.split(at, n_rows), strict=True)
    )


class _Chunked(torch.autograd.Function):
    """Differentiates on the way forward, while a block's logits are there."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any, x: Tensor, weight: Tensor, at: Tensor, term: Term, n: int
    ) -> Tensor:
        x_grads, sums = [], []
        # The sum of many blocks needs more bits than each of them.
        weight_grad = wide(weight[:0]).new_zeros(weight.shape)
        for rows, t in _blocks(x, at, n):
            logits = wide(F.linear(rows, weight))
            with torch.enable_grad():
                nats = term(logits.requires_grad_(), t).sum()
            (grad,) = torch.autograd.grad(nats, logits)
            grad = grad.to(weight.dtype)
            x_grads.append(grad @ weight)
            weight_grad += grad.t() @ rows
            sums.append(nats.detach())
        ctx.save_for_backward(torch.cat(x_grads), weight_grad.to(weight.dtype))
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None]:
        x_grad, weight_grad = ctx.saved_tensors
        return x_grad * grad, weight_grad * grad, None, None, None
