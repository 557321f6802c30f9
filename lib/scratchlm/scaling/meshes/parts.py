"""Which part of each parameter a rank has, and how parts become whole."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from torch import Tensor, nn

from scratchlm.scaling.collectives.conjugate import gather_from, shard_sizes
from scratchlm.scaling.meshes.process_mesh import ProcessMesh


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
    """

    module: nn.Module
    mesh: ProcessMesh
    cuts: Mapping[str, tuple[Cut, ...]]
    copies: frozenset[str] = frozenset()

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

        Of the ranks that hold the same numbers one is to count them, or to
        write them down.

        Args:
            name: of a parameter.
            also: more axes along which the ranks hold different numbers.
        """
        if name in self.copies:
            return False
        apart = self.axes_of(name) | also
        return all(
            at == 0
            for axis, at in self.mesh.at.items()
            if axis not in apart and axis != "dp"
        )

    def box(self, name: str, part: Tensor) -> tuple[slice, ...]:
        """Return where in the whole parameter this rank's part lies.

        Args:
            name: of a parameter.
            part: this rank's, as it is cut.
        """
        found = [slice(0, n) for n in part.shape]
        for cut in self.cuts.get(name, ()):
            sizes = shard_sizes(cut.n, self.mesh.size(cut.axis))
            at = self.mesh.at[cut.axis]
            start = sum(sizes[:at])
            found[cut.dim] = slice(start, start + sizes[at])
        return tuple(found)

    def shape(self, name: str, part: Tensor) -> tuple[int, ...]:
        """Return the shape of the whole parameter.

        Args:
            name: of a parameter.
            part: this rank's, as it is cut.
        """
        found = [*part.shape]
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
