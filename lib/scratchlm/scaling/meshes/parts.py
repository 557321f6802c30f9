"""Which part of each parameter a rank has, and how parts become whole."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from scratchlm.scaling.collectives.conjugate import gather_from, shard_sizes
from scratchlm.scaling.meshes.process_mesh import ORDER, ProcessMesh
from scratchlm.scaling.pipeline_parallel.stages import Stage
from scratchlm.scaling.sharded_data_parallel.sharded_data_parallel import (
    ShardedDataParallel,
)
from scratchlm.scaling.sharded_data_parallel.units import Unit


@dataclass(frozen=True, kw_only=True)
class Cut:
    """That a parameter is cut along a dimension over an axis of the mesh.

    Args:
        axis: of the mesh.
        dim: of the parameter.
        n: its length before the cut.
    """

    axis: str
    dim: int
    n: int


@dataclass(kw_only=True)
class Parts:
    """The parameters that one rank holds, under the names of the model.

    Args:
        module: holds them.
        mesh: of all ranks.
        cuts: by name; parameters that are not cut are left out.
        copies: names of parameters of which another stage has one too, which
            is the one that counts.
        firsts: by name, the first name of the same parameter, which is
            another where weights are tied.
    """

    module: nn.Module
    mesh: ProcessMesh
    cuts: Mapping[str, tuple[Cut, ...]]
    copies: frozenset[str]
    firsts: Mapping[str, str]

    def __iter__(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Go through names and parameters, each parameter once."""
        return self.module.named_parameters()

    def names(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Go through all names, those too that share a parameter."""
        return self.module.named_parameters(remove_duplicate=False)

    def axes_of(self, name: str) -> set[str]:
        """Return the axes along which ranks hold different parts.

        Args:
            name: of a parameter.
        """
        return {"pp"} | {cut.axis for cut in self.cuts.get(name, ())}

    def counts(self, name: str, *, also: Set[str] = frozenset()) -> bool:
        """Return whether this rank is the first of those that hold a part.

        Of the ranks that hold the same numbers one is to count them.

        Args:
            name: of a parameter.
            also: more axes along which the ranks hold different numbers.
        """
        return self.writes(name, 0, also=also)

    def writes(
        self, name: str, turn: int, *, also: Set[str] = frozenset()
    ) -> bool:
        """Return whether it is this rank's turn to write a part down.

        Ranks that hold the same numbers take turns, so that each writes
        about as much as the others.

        Args:
            name: of a parameter.
            turn: of the parameter, counted from 0.
            also: more axes along which the ranks hold different numbers.
        """
        if name in self.copies:
            return False
        apart = self.axes_of(name) | also
        same = [axis for axis in ORDER if axis not in apart]
        place, n_ranks = 0, 1
        for axis in same:
            n = self.mesh.size(axis)
            place, n_ranks = place * n + self.mesh.at[axis], n_ranks * n
        return place == turn % n_ranks

    def box(self, name: str, shape: Sequence[int]) -> tuple[slice, ...]:
        """Return where in the whole parameter this rank's part lies.

        Args:
            name: of a parameter.
            shape: of this rank's part.
        """
        found = [slice(0, n) for n in shape]
        for cut in self.cuts.get(name, ()):
            sizes = shard_sizes(cut.n, self.mesh.size(cut.axis))
            at = self.mesh.at[cut.axis]
            start = sum(sizes[:at])
            found[cut.dim] = slice(start, start + sizes[at])
        return tuple(found)

    def shape(self, name: str, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the whole parameter.

        Args:
            name: of a parameter.
            shape: of this rank's part.
        """
        found = [*shape]
        for cut in self.cuts.get(name, ()):
            found[cut.dim] = cut.n
        return tuple(found)

    def join(self, name: str, part: Tensor) -> Tensor:
        """Return the whole of what ranks have parts of; all of them call it.

        Args:
            name: of a parameter.
            part: this rank's, of the parameter or of something of its shape.
        """
        for cut in self.cuts.get(name, ()):
            sizes = shard_sizes(cut.n, self.mesh.size(cut.axis))
            group = self.mesh.group(cut.axis)
            part = gather_from(part, group, cut.dim, sizes)
        return part


def cuts_of(
    own: nn.Module, tables: Mapping[str, Mapping[str, tuple[int, int]]]
) -> dict[str, tuple[Cut, ...]]:
    """Return by name how this rank's parameters are cut.

    Args:
        own: holds them.
        tables: by axis and name, a dimension and its whole length.
    """
    named = own.named_parameters(remove_duplicate=False)
    return {
        name: tuple(
            Cut(axis=axis, dim=table[name][0], n=table[name][1])
            for axis, table in tables.items()
            if name in table
        )
        for name, _ in named
    }


def copies_of(own: nn.Module, stages: Mapping[int, Stage]) -> frozenset[str]:
    """Return the name of a tied head whose embedding is on another rank.

    Args:
        own: holds this rank's parameters.
        stages: of this rank.
    """
    if hasattr(own, "embedding"):
        return frozenset()
    shared = [stage.shared_weight for stage in stages.values()]
    return frozenset(
        name
        for name, p in own.named_parameters()
        if any(p is weight for weight in shared)
    )


def first_names(model: nn.Module) -> dict[str, str]:
    """Return by name the first name of the same parameter.

    Args:
        model: the whole.
    """
    named = [*model.named_parameters(remove_duplicate=False)]
    firsts: dict[nn.Parameter, str] = {}
    for name, p in named:
        firsts.setdefault(p, name)
    return {name: firsts[p] for name, p in named}


def units_of(sums: Sequence[Any]) -> dict[nn.Parameter, Unit]:
    """Return the units in which ZeRO shares parameters out.

    Args:
        sums: of this rank.
    """
    return {
        p: unit
        for each in sums
        if isinstance(each, ShardedDataParallel)
        for unit in each.all_units
        for p in unit.parameters
    }
