"""Parameters that are gathered together, and this rank's part of them."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed import ProcessGroup

from scratchlm.scaling.collectives.conjugate import gather_from
from scratchlm.scaling.data_parallel.data_parallel import Pending
from scratchlm.scaling.sharded_data_parallel.exchange import (
    ScatteredSum,
    start_gather,
)


class Unit:
    """Parameters in one vector, of which each rank owns an equal part.

    ::

        [ p0 |    p1    | p2 | padding ]   the vector, of W equal parts
        [ rank 0 ][ rank 1 ][  rank 2  ]   p1 lies on two ranks

    A parameter is *whole*, a view of the gathered vector, or it is this
    rank's *piece* of it in full precision, which may be empty and is what an
    optimizer moves.

    Args:
        parameters: in full precision; one that is shared appears once.
        group: whose ranks own the parts.
        dtype: of the gathered vector.
        reduce_dtype: in which gradients are sent; they are added in that of
            the parameters.
        frees: whether the gathered vector is freed when it is not needed.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        group: ProcessGroup,
        *,
        dtype: torch.dtype,
        reduce_dtype: torch.dtype,
        frees: bool,
    ):
        self.parameters, self.group = list(parameters), group
        self.reduce_dtype, self.frees = reduce_dtype, frees
        self._shapes = [p.shape for p in self.parameters]
        self._ends = list(accumulate(p.numel() for p in self.parameters))
        self.part = -(-self._ends[-1] // group.size())
        self.first = group.rank() * self.part
        self._share_out(dtype)
        self.pieces = [self._piece(self.master, i) for i in self.indices]
        self.trained = [i for i in self.indices if self._is_trained(i)]
        self.gradients: Tensor | None = None  # this rank's, of whole size
        self.held: set[int] = set()  # whose gradients these are
        self.used: set[int] = set()  # on this rank, in this step
        self.sums: Tensor | None = None  # of all ranks, this rank's part
        self._pending: Pending | None = None
        self._scattered: ScatteredSum | None = None
        self.hide()

    @property
    def indices(self) -> range:
        """Of the parameters."""
        return range(len(self.parameters))

    def _is_trained(self, index: int) -> bool:
        return self.parameters[index].requires_grad

    @torch.no_grad()
    def _share_out(self, dtype: torch.dtype) -> None:
        first = self.parameters[0]
        n = self.part * self.group.size()
        flat = torch.zeros(n, dtype=first.dtype, device=first.device)
        for whole, p in zip(self._cut(flat), self.parameters, strict=True):
            whole.copy_(p)
        self.master = flat[self.first : self.first + self.part]
        self.whole = not self.frees and dtype == flat.dtype
        self.full = flat.to(dtype)
        self.views = self._cut(self.full)
        if not self.whole:  # else the masters are a part of it
            self.master = self.master.clone()
            self._resize(0)

    def _cut(self, flat: Tensor) -> list[Tensor]:
        sizes = [shape.numel() for shape in self._shapes]
        parts = torch.split(flat[: self._ends[-1]], sizes)
        return [
            part.view(shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def _resize(self, n: int) -> None:
        n_bytes = n * self.full.element_size()
        self.full.untyped_storage().resize_(n_bytes)

    def _piece(self, part: Tensor, index: int) -> Tensor:
        """What of a parameter lies in this rank's part."""
        begin, end = self._bounds(index, self.first)
        return part[begin:end]

    def shape_of(self, p: nn.Parameter) -> torch.Size:
        """Return the shape of a parameter, which may be in pieces.

        Args:
            p: one of the parameters.
        """
        return self._shapes[self._index(p)]

    def piece_of(self, p: nn.Parameter, whole: Tensor) -> Tensor:
        """Return this rank's piece of what has the shape of a parameter.

        Args:
            p: one of the parameters.
            whole: of it.
        """
        index = self._index(p)
        begin, end = self._bounds(index, self.first)
        start = self._ends[index] - whole.numel() - self.first
        return whole.flatten()[begin - start : end - start]

    def _index(self, p: nn.Parameter) -> int:
        return next(i for i in self.indices if self.parameters[i] is p)

    def _bounds(self, index: int, first: int) -> tuple[int, int]:
        """Where a parameter lies in the part that begins at a number."""
        end = self._ends[index] - first
        begin = end - self._shapes[index].numel()
        return (
            max(0, min(begin, self.part)),
            max(0, min(end, self.part)),
        )

    def joined(self, p: nn.Parameter, piece: Tensor | None) -> Tensor | None:
        """Return the whole of what ranks have pieces of; all of them call it.

        Args:
            p: one of the parameters.
            piece: this rank's, of the parameter or of something of its
                shape; None if it has none.

        Returns:
            The whole on each rank; None if no rank has a piece.
        """
        has = torch.tensor(piece is not None, dtype=torch.int32)
        dist.all_reduce(has, group=self.group)
        if not has:
            return None
        index = self._index(p)
        if piece is None:  # a rank whose piece is empty has no gradient
            piece = torch.zeros_like(self.pieces[index])
        ranks = range(self.group.size())
        sizes = [self._bounds(index, r * self.part) for r in ranks]
        flat = gather_from(
            piece.detach(),
            self.group,
            0,
            [end - begin for begin, end in sizes],
        )
        return flat.view(self._shapes[index])

    def start_gather(self) -> None:
        """Begin to make the parameters whole, if they are not."""
        if self.whole or self._pending is not None:
            return
        if not self.full.untyped_storage().nbytes():
            self._resize(self.part * self.group.size())
        own = self.full.detach()[self.first : self.first + self.part]
        if own.data_ptr() != self.master.data_ptr():
            own.copy_(self.master)
        self._pending = start_gather(self.full, self.group)

    def gather(self) -> None:
        """Make the parameters whole."""
        self.start_gather()
        if self._pending is not None:
            self._pending.wait()
            self._pending, self.whole = None, True
        for p, view in zip(self.parameters, self.views, strict=True):
            p.data = view

    def hide(self) -> None:
        """Let each parameter be this rank's piece of it."""
        for p, piece in zip(self.parameters, self.pieces, strict=True):
            p.data = piece

    def free(self) -> None:
        """Hide the whole, and give its memory back where it is to be."""
        if self._pending is not None:  # was gathered in vain
            self.gather()
        self.hide()
        if self.frees and self.whole:
            self.whole = False
            self._resize(0)

    def forget_whole(self) -> None:
        """Note that the masters moved, so that the whole is out of date."""
        self.whole = False

    def take(self, index: int) -> None:
        """Add a gradient to those of whole size, and drop it.

        Args:
            index: of a parameter, which has a gradient.
        """
        p = self.parameters[index]
        assert p.grad is not None
        if self.gradients is None:
            self.gradients = torch.empty(
                self.part * self.group.size(),
                dtype=self.reduce_dtype,
                device=p.device,
            )
        into = self._cut(self.gradients)[index]
        if index in self.held:
            into.add_(p.grad)
        else:
            into.copy_(p.grad)
        p.grad = None
        self.held.add(index)
        self.used.add(index)

    def start_sum(self) -> None:
        """Begin to sum the gradients of all ranks, each rank its part."""
        n = self.part * self.group.size()
        flat = self.gradients
        if flat is None:
            flat = torch.empty(
                n, dtype=self.reduce_dtype, device=self.master.device
            )
        for index, own in enumerate(self._cut(flat)):
            if index not in self.held:
                own.zero_()
        flat[self._ends[-1] :].zero_()
        self._scattered = ScatteredSum(flat, self.group)
        self.gradients = None
        self.held.clear()

    def finish_sum(self) -> None:
        """Add the sum that was begun to that of earlier micro-batches."""
        if self._scattered is None:
            return
        if self.sums is None:
            self.sums = torch.zeros_like(self.master)
        self._scattered.add_to(self.sums)
        self._scattered = None

    def give(self, used: Sequence[bool]) -> None:
        """Let each piece have its gradient.

        Args:
            used: for each parameter, whether any rank has a gradient.
        """
        for index, p in enumerate(self.parameters):
            has = self.sums is not None and used[index] and p.numel() > 0
            p.grad = self._gradient(index) if has else None

    def _gradient(self, index: int) -> Float[Tensor, " n"]:
        assert self.sums is not None
        return self._piece(self.sums, index)

    def begin(self) -> None:
        """Drop what is left of the last step."""
        self.sums = None
        self.used.clear()
        for p in self.parameters:
            p.grad = None


def plan_units(
    model: nn.Module, modules: Sequence[nn.Module]
) -> list[list[nn.Parameter]]:
    """Sort parameters: those of no module or of several first, then each's.

    A weight that two modules share, or one and the rest of the model, must
    be whole as long as either is at work, which the first ones are.

    Args:
        model: the whole.
        modules: parts of it that do not contain each other.

    Returns:
        One list more than there are modules; some may be empty.

    Raises:
        ValueError: a module is within another.
    """
    inside: dict[int, set[int]] = {}  # modules of a parameter, by its id
    members: set[int] = set()
    for index, module in enumerate(modules):
        for part in module.modules():
            if id(part) in members:
                raise ValueError(
                    f"{type(part).__name__} is in two of the modules; give "
                    f"modules that do not contain each other"
                )
            members.add(id(part))
        for p in module.parameters():
            inside.setdefault(id(p), set()).add(index)
    for part in model.modules():
        if id(part) not in members:
            for p in part.parameters(recurse=False):
                inside.setdefault(id(p), set()).update((-1, -2))
    plan: list[list[nn.Parameter]] = [[] for _ in range(len(modules) + 1)]
    for p in model.parameters():
        homes = inside[id(p)]
        plan[0 if len(homes) > 1 else homes.copy().pop() + 1].append(p)
    return plan
