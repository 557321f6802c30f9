"""The loss in slices and blocks, in little memory."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from scratchlm.model.transformer.loss import counted_targets, mean

# Numbers of a slice: a megabyte of float32, which a core's own cache holds.
_SLICE = 1 << 18
# Logits of a block, and the rows that it has at least: with fewer, adding to
# the gradient of a large table would take longer than the products.
_BLOCK, _BLOCK_ROWS = 1 << 22, 256


def fused_cross_entropy(
    logits: Float[Tensor, "*B V"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> Float[Tensor, ""]:
    """Return the mean of ``-log p(target)`` in nats.

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
    return _mean(*fused_cross_entropy_sum(logits, targets, ignore=ignore))


def fused_cross_entropy_sum(
    logits: Float[Tensor, "*B V"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Return the sum of ``-log p(target)`` in nats, and of how many.

    As :func:`fused_cross_entropy` does, before the division. Where no
    target counts both are zero, and so is the gradient.

    Args:
        logits: a score for each token of the vocabulary.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    rows, flat = logits.flatten(0, -2), targets.flatten()
    if torch.compiler.is_compiling():  # the compiler fuses the passes itself
        total = F.cross_entropy(
            rows.float(), flat, ignore_index=ignore, reduction="sum"
        )
        return total, (flat != ignore).sum()
    counted = counted_targets(flat, logits.shape[-1], ignore)
    at, counted = flat.where(counted, 0)[:, None], counted[:, None]
    apply: Callable[..., Tensor] = _FusedCrossEntropy.apply
    return apply(rows, at, counted), counted.sum()


def fused_linear_cross_entropy(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> Float[Tensor, ""]:
    """Return ``cross_entropy(x @ weight.T, targets)`` without the logits.

    They are the largest tensor of a small model, and their gradient is as
    large. A position's loss needs its own row alone, so this makes a block
    of rows, takes the loss, turns it into its gradient and that into the
    gradients of ``x`` and ``weight``, and writes the next block over it.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: no target counts, or one is not in the vocabulary.

    Source: Hsu et al. 2024, "Liger Kernel: Efficient Triton Kernels for LLM
    Training".
    """
    return _mean(
        *fused_linear_cross_entropy_sum(x, weight, targets, ignore=ignore)
    )


def fused_linear_cross_entropy_sum(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Return the sum of a linear head's losses, and of how many.

    As :func:`fused_linear_cross_entropy` does, before the division. Where
    no target counts both are zero, and so are the gradients.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    rows, flat = x.flatten(0, -2), targets.flatten()
    if torch.compiler.is_compiling():
        logits = F.linear(rows, weight)
        return fused_cross_entropy_sum(logits, flat, ignore=ignore)
    if torch.is_autocast_enabled(x.device.type):
        half = torch.get_autocast_dtype(x.device.type)
        rows, weight = rows.to(half), weight.to(half)
    counted = counted_targets(flat, len(weight), ignore)
    at, counted = flat.where(counted, 0)[:, None], counted[:, None]
    if torch.is_grad_enabled():
        apply: Callable[..., Tensor] = _FusedLinearCrossEntropy.apply
        return apply(rows, weight, at, counted), counted.sum()
    parts = [
        _norm_and_sum(*part)[1]
        for logits, _, *columns in _blocks(rows, weight, at, counted)
        for part in _slices(logits, *columns)
    ]
    return torch.stack(parts).sum(), counted.sum()


def _mean(total: Tensor, count: Tensor) -> Tensor:
    # A compiled graph cannot stop to look at a count.
    return (
        total / count if torch.compiler.is_compiling() else mean(total, count)
    )


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _slices(*columns: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield a few rows of each, so that those of the first fit a cache."""
    n_rows = max(1, _SLICE // columns[0].shape[-1])
    return zip(*(torch.split(c, n_rows) for c in columns), strict=True)


def _blocks(
    x: Tensor, weight: Tensor, *columns: Tensor
) -> Iterator[tuple[Tensor, ...]]:
    """Yield the logits of some rows, each block over the last, and the rows
    of all else."""
    n_rows = max(_BLOCK_ROWS, _BLOCK // len(weight))
    memory = x.new_empty(min(n_rows, len(x)), len(weight))
    parts = (torch.split(each, n_rows) for each in (x, *columns))
    for rows, *others in zip(*parts, strict=True):
        logits = torch.mm(rows, weight.t(), out=memory[: len(rows)])
        yield logits, rows, *others


def _norm_and_sum(
    logits: Tensor, at: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the logarithm of each row's sum, and the sum of the losses."""
    wide = _wide(logits)
    norm = wide.logsumexp(-1, keepdim=True)
    return norm, ((norm - wide.gather(-1, at)) * counted).sum()


def _gradient_(x: Tensor, norm: Tensor, at: Tensor, counted: Tensor) -> Tensor:
    """Make of logits the softmax, less one at the target; in place."""
    p = x.sub_(norm).exp_()
    p.scatter_add_(-1, at, p.new_full((), -1.0).expand_as(at))
    return p.mul_(counted)


class _FusedCrossEntropy(torch.autograd.Function):
    """The sum; its gradient is the softmax, less one at the target."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, at: Tensor, counted: Tensor
    ) -> Tensor:
        columns = logits, at, counted
        norms, sums = zip(
            *(_norm_and_sum(*part) for part in _slices(*columns)), strict=True
        )
        ctx.save_for_backward(logits, torch.cat(norms), at, counted)
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        logits, norm, at, counted = ctx.saved_tensors
        result = torch.empty_like(logits)
        columns = logits, norm, at, grad * counted, result
        for x, z, t, w, out in _slices(*columns):
            own = x.to(norm.dtype, copy=True)
            out.copy_(_gradient_(own, z, t, w))
        return result, None, None


class _FusedLinearCrossEntropy(torch.autograd.Function):
    """Differentiates on the way forward, while a block's logits are there."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, at: Tensor, counted: Tensor
    ) -> Tensor:
        x_grad, wide = torch.empty_like(x), _wide(weight[:0]).dtype
        weight_grad = torch.zeros_like(weight, dtype=wide)
        sums = []
        for logits, rows, *columns, out in _blocks(
            x, weight, at, counted, x_grad
        ):
            sums += [
                _sum_and_differentiate_(*part)
                for part in _slices(logits, *columns)
            ]
            torch.mm(logits, weight, out=out)
            _add_product_(weight_grad, logits, rows)
        ctx.save_for_backward(x_grad, weight_grad.to(weight.dtype))
        return torch.stack(sums).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x_grad, weight_grad = ctx.saved_tensors
        return x_grad * grad, weight_grad * grad, None, None


def _sum_and_differentiate_(x: Tensor, at: Tensor, counted: Tensor) -> Tensor:
    """Return the sum of the losses; gradients take the place of logits.

    Each number is raised once, for its row's sum and for its gradient.
    """
    wide = _wide(x)
    wide -= wide.amax(-1, keepdim=True)
    own = wide.gather(-1, at)
    p = wide.exp_()
    norm = p.sum(-1, keepdim=True)
    p *= counted / norm
    p.scatter_add_(-1, at, -counted.to(p.dtype))
    if p is not x:
        x.copy_(p)
    return ((norm.log() - own) * counted).sum()


def _add_product_(sum_: Tensor, left: Tensor, right: Tensor) -> None:
    if sum_.dtype == left.dtype:
        sum_.addmm_(left.t(), right)
    else:  # the sum of many blocks needs more bits than each of them
        sum_ += left.t() @ right
