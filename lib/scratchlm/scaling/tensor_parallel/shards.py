"""Parameters of which each rank has a part, and how they become whole."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.scaling.collectives.conjugate import (
    gather_from,
    shard_sizes,
    split_to,
)
from scratchlm.scaling.data_parallel.global_norm import global_norm
from scratchlm.training.optimizers.clipping import clip_gradients


class Shards:
    """The parts that one rank has of a model's parameters.

    Args:
        model: the same on all ranks; whoever cuts a parameter puts the part
            in its place.
        group: W ranks.
    """

    def __init__(self, model: nn.Module, group: dist.ProcessGroup):
        self.model, self.group = model, group
        # Of each part, the dimension that was cut and its whole length.
        self._cut: dict[Tensor, tuple[int, int]] = {}
        self._parts: dict[Tensor, nn.Parameter] = {}

    def cut(self, p: Tensor, dim: int) -> nn.Parameter:
        """Return this rank's part of a parameter; of a tied one the same.

        Args:
            p: whole, the same on all ranks.
            dim: along which it is cut, the sizes being ``shard_sizes``.
        """
        if p not in self._parts:
            part = split_to(p.detach(), self.group, dim).clone()
            self._parts[p] = nn.Parameter(part, requires_grad=p.requires_grad)
            self._cut[self._parts[p]] = dim, p.shape[dim]
        return self._parts[p]

    def forget_whole(self) -> None:
        """Let go of the parameters that were cut, once all are."""
        self._parts.clear()

    def __contains__(self, p: Tensor) -> bool:
        """Whether a parameter is a part."""
        return p in self._cut

    def named(self) -> dict[str, tuple[int, int]]:
        """Return the dimension along which each part was cut, by its name.

        Returns:
            With it the whole length of that dimension. Parameters that were
            not cut are left out.
        """
        named = self.model.named_parameters(remove_duplicate=False)
        return {name: self._cut[p] for name, p in named if p in self}

    def whole(
        self, of: Callable[[nn.Parameter], Tensor | None] = lambda p: p
    ) -> dict[str, Tensor]:
        """Join the parts of all parameters, on each rank.

        Args:
            of: what of a parameter is wanted, such as its gradient:
                ``lambda p: p.grad``. None is left out.

        Returns:
            Tensors under the names of the model that was cut, with which it
            can be saved as one, or cut for another number of ranks.
        """
        named = self.model.named_parameters(remove_duplicate=False)
        return {
            name: self._join(p, x.detach())
            for name, p in named
            if (x := of(p)) is not None
        }

    def gradient_norm(self) -> Float[Tensor, ""]:
        """Return the 2-norm of all gradients, each number counted once."""
        every = [*self.model.parameters()]
        return global_norm(
            (p for p in every if p in self),
            self.group,
            copies=(p for p in every if p not in self),
        )

    def clip(self, longest: float) -> Float[Tensor, ""]:
        """Shorten the gradient of all ranks, as one vector, to a bound.

        Args:
            longest: the bound.

        Returns:
            The length before; where it is not finite, nothing is changed.

        Raises:
            ValueError: ``longest`` is not above 0.
        """
        return clip_gradients(
            self.model.parameters(),
            longest,
            length=lambda _: self.gradient_norm(),
        )

    def _join(self, p: nn.Parameter, x: Tensor) -> Tensor:
        if p not in self:
            return x
        dim, n = self._cut[p]
        sizes = shard_sizes(n, self.group.size())
        return gather_from(x, self.group, dim, sizes)
