"""Collectives that autograd can pass through, each with its backward.

A tensor of several ranks is one of two kinds. It is *replicated* where all
ranks hold the same value and do the same with it: the loss depends on one
value, and each rank knows its whole gradient. It *varies* where each rank
holds its own value, or does something of its own with it: the loss depends
on W values, and each rank has the gradient of its own. A collective leads
from one kind to the other, and its backward leads the gradients back::

                     input       forward          output      backward
    copy_to          replicated  nothing          varies      all-reduce
    sum_over         varies      all-reduce       replicated  nothing
    split_to         replicated  cut              varies      all-gather
    gather_from      varies      all-gather       replicated  cut
    all_gather       varies      all-gather       varies      reduce-scatter
    reduce_scatter   varies      reduce-scatter   varies      all-gather
    all_to_all       varies      all-to-all       varies      all-to-all

Source: Shoeybi et al. 2019, "Megatron-LM", section 3, where the first two
are named f and g; Korthikanti et al. 2022, section 4.2, for the rest.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch import distributed as dist

# Renamed in PyTorch 2.13, where the old name warns.
_reduce_scatter: Callable[..., object] = getattr(
    dist, "reduce_scatter_single", None
) or getattr(dist, "reduce_scatter_tensor")  # noqa: B009


def copy_to(
    x: Shaped[Tensor, "..."], group: dist.ProcessGroup
) -> Shaped[Tensor, "..."]:
    """Let each rank do something else with one value: Megatron's f.

    Args:
        x: replicated.
        group: the ranks.

    Returns:
        The same; backward sums what the ranks' gradients say.
    """
    return _apply(_Copy, x, group)


def sum_over(
    x: Shaped[Tensor, "..."], group: dist.ProcessGroup
) -> Shaped[Tensor, "..."]:
    """Sum the ranks' values for all of them: Megatron's g.

    Args:
        x: of the same shape on each rank.
        group: the ranks.

    Returns:
        The sum, replicated; backward hands its gradient to each summand.
    """
    return _apply(_Sum, x, group)


def split_to(
    x: Shaped[Tensor, "..."], group: dist.ProcessGroup, dim: int
) -> Shaped[Tensor, "..."]:
    """Leave to each rank its part of a value that all hold.

    Args:
        x: replicated.
        group: the ranks.
        dim: along which it is cut, the sizes being ``shard_sizes``.

    Returns:
        This rank's part; backward gathers the gradients of all parts.
    """
    return _apply(_Split, x, group, dim)


def gather_from(
    x: Shaped[Tensor, "..."],
    group: dist.ProcessGroup,
    dim: int,
    sizes: Sequence[int] | None = None,
) -> Shaped[Tensor, "..."]:
    """Join the ranks' parts to a value with which all do the same.

    Args:
        x: this rank's part.
        group: the ranks.
        dim: along which the parts are joined.
        sizes: W, of the parts along it; None where all are equal.

    Returns:
        The whole, replicated; backward cuts this rank's part from its
        gradient. Where ranks go on differently, use ``all_gather``.

    Raises:
        ValueError: sizes that this part has not, or not W of them.
    """
    return _apply(_Gather, x, group, dim, _checked(x, group, dim, sizes))


def all_gather(
    x: Shaped[Tensor, "..."],
    group: dist.ProcessGroup,
    dim: int,
    sizes: Sequence[int] | None = None,
) -> Shaped[Tensor, "..."]:
    """Join the ranks' parts to a value with which each does something else.

    Args:
        x: this rank's part.
        group: the ranks.
        dim: along which the parts are joined.
        sizes: W, of the parts along it; None where all are equal.

    Returns:
        The whole; backward sums the ranks' gradients and cuts this part.

    Raises:
        ValueError: sizes that this part has not, or not W of them.
    """
    return _apply(_AllGather, x, group, dim, _checked(x, group, dim, sizes))


def reduce_scatter(
    x: Shaped[Tensor, "..."], group: dist.ProcessGroup, dim: int
) -> Shaped[Tensor, "..."]:
    """Sum the ranks' values, and leave to each its part of the sum.

    Args:
        x: of the same shape on each rank.
        group: the ranks.
        dim: along which it is cut, the sizes being ``shard_sizes``.

    Returns:
        This rank's part of the sum; backward gathers the gradients.
    """
    return _apply(_ReduceScatter, x, group, dim)


def all_to_all(
    x: Shaped[Tensor, "n ..."],
    group: dist.ProcessGroup,
    sent: Sequence[int] | None = None,
    received: Sequence[int] | None = None,
) -> Shaped[Tensor, "m ..."]:
    """Send the rows that are meant for each rank to it.

    Args:
        x: the rows for rank 0, then those for rank 1, and so on.
        group: the ranks.
        sent: W, how many rows go to each; None for equally many.
        received: W, how many come from each; None for equally many.

    Returns:
        The rows from rank 0, then those from rank 1, and so on; backward
        sends each row's gradient back to where the row came from.

    Raises:
        ValueError: numbers of rows that x has not, or not W of them.
    """
    sent = _checked(x, group, 0, sent, total=True)
    received = sent if received is None else [*received]
    if len(received) != group.size():
        raise ValueError(
            f"received has {len(received)} counts; give one for each of the "
            f"{group.size()} ranks"
        )
    return _apply(_AllToAll, x, group, sent, received)


def shard_sizes(n: int, size: int) -> list[int]:
    """Cut n into parts of which the first are longer by one.

    Args:
        n: what there is to share, such as the rows of a matrix.
        size: W, the number of ranks.

    Returns:
        W sizes; some are 0 where n is below W.
    """
    return [n // size + (rank < n % size) for rank in range(size)]


def gradcheck_across(
    function: Callable[[Tensor], Tensor],
    x: Float[Tensor, "..."],
    group: dist.ProcessGroup,
    *,
    replicated: tuple[bool, bool],
    eps: float = 1e-6,
) -> float:
    """Hold the gradient of a function of several ranks against differences.

    The loss is a random weight for each number of the output: one sum where
    the output is replicated, the sum of all ranks' sums where it varies. A
    number of the input moves on all ranks at once where the input is
    replicated, and on one rank where it varies.

    Args:
        function: of x, the same on all ranks; it may call collectives.
        x: this rank's input, in double precision.
        group: the ranks.
        replicated: whether the input is, and whether the output is.
        eps: by how much a number is moved.

    Returns:
        The largest difference on any rank between the gradient and
        (loss(x + eps) - loss(x - eps)) / 2 eps.

    Raises:
        ValueError: x isn't in double precision.
    """
    if x.dtype != torch.float64:
        raise ValueError(f"x is {x.dtype}; give x.double()")
    alike_in, alike_out = replicated
    x = x.detach().clone().requires_grad_()
    y = function(x)
    seed = 0 if alike_out else group.rank()
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    (gradient,) = torch.autograd.grad(y, x, weights)

    @torch.no_grad()
    def loss(step: Tensor) -> Tensor:
        return (function(x + step.view_as(x)) * weights).sum()

    counts = torch.zeros(group.size(), dtype=torch.int64)
    counts[group.rank()] = x.numel()
    dist.all_reduce(counts, group=group)
    owners = [group.rank()] if alike_in else range(group.size())
    slope = x.new_zeros(int(counts[[*owners]].sum()))
    begin = 0 if alike_in else int(counts[: group.rank()].sum())
    for i in range(len(slope)):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        if begin <= i < begin + x.numel():
            step[i - begin] = eps
        slope[i] = (loss(step) - loss(-step)) / (2 * eps)
    if not alike_out:
        dist.all_reduce(slope, group=group)
    off = slope[begin : begin + x.numel()] - gradient.flatten()
    worst = off.norm(float("inf")) if len(off) else off.sum()
    dist.all_reduce(worst, dist.ReduceOp.MAX, group=group)
    return worst.item()


def _apply(kind: type[torch.autograd.Function], *args: Any) -> Tensor:
    return kind.apply(*args)  # type: ignore[no-untyped-call]


class _Copy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _summed(grads[0], ctx.group), None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        return _summed(x, group)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0], None


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, group: dist.ProcessGroup, dim: int
    ) -> Tensor:
        ctx.group, ctx.dim = group, dim
        ctx.sizes = shard_sizes(x.shape[dim], group.size())
        return _part(x, group, dim, ctx.sizes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        whole = _gathered(grads[0], ctx.group, ctx.dim, ctx.sizes)
        return whole, None, None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        group: dist.ProcessGroup,
        dim: int,
        sizes: list[int],
    ) -> Tensor:
        ctx.group, ctx.dim, ctx.sizes = group, dim, sizes
        return _gathered(x, group, dim, sizes)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        part = _part(grads[0], ctx.group, ctx.dim, ctx.sizes)
        return part, None, None, None


class _AllGather(_Gather):
    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        part = _scattered(grads[0], ctx.group, ctx.dim, ctx.sizes)
        return part, None, None, None


class _ReduceScatter(_Split):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, group: dist.ProcessGroup, dim: int
    ) -> Tensor:
        ctx.group, ctx.dim = group, dim
        ctx.sizes = shard_sizes(x.shape[dim], group.size())
        return _scattered(x, group, dim, ctx.sizes)


class _AllToAll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        group: dist.ProcessGroup,
        sent: list[int],
        received: list[int],
    ) -> Tensor:
        ctx.group, ctx.sent, ctx.received = group, sent, received
        return _exchanged(x, group, sent, received)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        back = _exchanged(grads[0], ctx.group, ctx.received, ctx.sent)
        return back, None, None, None


def _summed(x: Tensor, group: dist.ProcessGroup) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total, group=group)
    return total


def _part(
    x: Tensor, group: dist.ProcessGroup, dim: int, sizes: list[int]
) -> Tensor:
    return torch.split(x, sizes, dim)[group.rank()].contiguous()


def _gathered(
    x: Tensor, group: dist.ProcessGroup, dim: int, sizes: list[int]
) -> Tensor:
    # The parts that are sent must be equally long.
    longest = max(sizes)
    rows = x.movedim(dim, 0).contiguous()
    padded = rows.new_zeros(longest, *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded, group=group)
    cut = [part[:n] for part, n in zip(parts, sizes, strict=True)]
    return torch.cat(cut).movedim(0, dim).contiguous()


def _scattered(
    x: Tensor, group: dist.ProcessGroup, dim: int, sizes: list[int]
) -> Tensor:
    longest = max(sizes)
    rows = x.movedim(dim, 0)
    padded = rows.new_zeros(len(sizes), longest, *rows.shape[1:])
    for into, part in zip(padded, torch.split(rows, sizes), strict=True):
        into[: len(part)] = part
    mine = torch.empty_like(padded[0])
    _reduce_scatter(mine, padded.flatten(0, 1), group=group)
    return mine[: sizes[group.rank()]].movedim(0, dim).contiguous()


def _exchanged(
    x: Tensor, group: dist.ProcessGroup, sent: list[int], received: list[int]
) -> Tensor:
    got = x.new_empty(sum(received), *x.shape[1:])
    dist.all_to_all_single(got, x.contiguous(), received, sent, group=group)
    return got


def _checked(
    x: Tensor,
    group: dist.ProcessGroup,
    dim: int,
    sizes: Sequence[int] | None,
    total: bool = False,
) -> list[int]:
    """The sizes of W parts; x is one of them, or all of them together."""
    size, n = group.size(), x.shape[dim]
    if sizes is None:
        if total and n % size:
            raise ValueError(
                f"{n} rows do not go to {size} ranks equally; say how many "
                f"go to each"
            )
        return [n // size if total else n] * size
    if len(sizes) != size:
        raise ValueError(
            f"{len(sizes)} sizes for {size} ranks; give one for each"
        )
    told = sum(sizes) if total else sizes[group.rank()]
    if told != n:
        raise ValueError(
            f"the sizes {[*sizes]} promise {told} along dimension {dim} of "
            f"rank {group.rank()}, but there are {n}"
        )
    return [*sizes]
