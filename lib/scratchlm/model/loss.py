"""How surprised the model is by what came next.

Chapter: book/model/transformer.md.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Numbers of a slice: a megabyte of float32, which a core's own cache holds.
_SLICE = 1 << 18


def cross_entropy(
    logits: Float[Tensor, "*B V"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> Float[Tensor, ""]:
    """Return the mean of ``-log p(target)`` in nats.

    Chapter: book/model/transformer.md.

    Works in float32 whatever the type of the logits, a slice of rows at a
    time, and keeps one number a row for the backward. PyTorch's own keeps
    the log-probabilities, which are as large as the logits, and reads and
    writes them from end to end in each of five passes.

    Args:
        logits: a score for each token of the vocabulary.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: no target counts, or one is not in the vocabulary.
    """
    rows, flat = logits.flatten(0, -2), targets.flatten()
    if torch.compiler.is_compiling():  # the compiler fuses the passes itself
        return F.cross_entropy(rows.float(), flat, ignore_index=ignore)
    counted = flat != ignore
    n_counted = int(counted.sum())
    if not n_counted:
        raise ValueError(
            f"each of {flat.numel()} targets is {ignore}, which says that it "
            "does not count; a mean needs at least one that does"
        )
    low, high = flat[counted].aminmax()
    if low < 0 or high >= logits.shape[-1]:
        raise ValueError(
            f"targets from {low} to {high}, but the logits are for "
            f"{logits.shape[-1]} tokens, from 0; use {ignore} for positions "
            "that do not count"
        )
    apply: Callable[..., Tensor] = _Surprise.apply
    return apply(rows, flat, counted) / n_counted


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


class _Surprise(torch.autograd.Function):
    """The sum; its gradient is the softmax, less one at the target."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, counted: Tensor
    ) -> Tensor:
        n_rows = max(1, _SLICE // logits.shape[-1])
        parts = [
            _wide(part).logsumexp(-1, keepdim=True)
            for part in torch.split(logits, n_rows)
        ]
        norm = torch.cat(parts)
        # A row that does not count may hold any target: read its first.
        at = targets.where(counted, 0)[:, None]
        ctx.save_for_backward(logits, at, counted[:, None], norm)
        return ((norm - logits.gather(-1, at)) * counted[:, None]).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        logits, at, counted, norm = ctx.saved_tensors
        weight = grad * counted
        result = torch.empty_like(logits)
        n_rows = max(1, _SLICE // logits.shape[-1])
        columns = (logits, at, norm, weight, result)
        slices = (torch.split(each, n_rows) for each in columns)
        for x, t, z, w, out in zip(*slices, strict=True):
            p = (x - z).exp_()
            p.scatter_add_(-1, t, p.new_full((), -1.0).expand_as(t))
            out.copy_(p.mul_(w))
        return result, None, None
