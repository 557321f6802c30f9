"""Ranks in a grid of named axes."""

from math import prod
from weakref import WeakKeyDictionary

from torch import distributed as dist

from scratchlm.foundation.arguments import one_of
from scratchlm.scaling.accounting.job import Mesh

# From the outermost axis, whose neighbours have distant ranks, to the
# innermost. Expert parallel borrows ranks of data parallel: dp = edp × ep.
ORDER = ("pp", "edp", "ep", "cp", "tp")
AXES = ("pp", "dp", "edp", "ep", "cp", "tp")

# Of a group of all ranks, those of some of them. Meshes share them and none
# is left: PyTorch would give a group of the same ranks the same name again,
# under which the addresses of the former sockets are kept.
_made: "WeakKeyDictionary[dist.ProcessGroup, _Groups]" = WeakKeyDictionary()
_Groups = dict[tuple[int, ...], dist.ProcessGroup]


class ProcessMesh:
    """The place of each rank in a grid, and the ranks it works with.

    ::

        pp 2 × dp 2 × tp 2      pp 0            pp 1
                                tp 0  tp 1      tp 0  tp 1
                          dp 0     0     1         4     5
                          dp 1     2     3         6     7

    Ranks that differ in one coordinate alone form a group of that axis: here
    ranks 0 and 1 for ``tp``, 0 and 2 for ``dp``, 0 and 4 for ``pp``. A group
    may join axes: ``group("dp", "tp")`` of rank 0 has the ranks 0 to 3.

    Every rank makes the same meshes and asks for the same groups in the same
    order, since the ranks of a group agree on it when it is made.

    Args:
        sizes: of each axis.
        group: all ranks, in the order of the grid.

    Raises:
        ValueError: the sizes do not fill the group.

    Attributes:
        at: this rank's coordinate along each axis: ``pp``, ``dp``, ``cp``
            and ``tp``, and within ``dp`` those of ``ep``, experts, and
            ``edp``, copies of the same experts.
    """

    def __init__(self, sizes: Mesh, group: dist.ProcessGroup):
        if sizes.world != group.size():
            raise ValueError(
                f"the mesh {sizes} has {sizes.world} ranks, and the group "
                f"has {group.size()}; choose sizes whose product is "
                f"{group.size()}, or start {sizes.world} ranks"
            )
        self.sizes, self.whole = sizes, group
        self._shape = {
            "pp": sizes.pp,
            "edp": sizes.dp // sizes.ep,
            "ep": sizes.ep,
            "cp": sizes.cp,
            "tp": sizes.tp,
        }
        self.at = self.coordinates(group.rank())
        self._groups = _made.setdefault(group, {})

    def size(self, *axes: str) -> int:
        """Return how many ranks a group of these axes has.

        Args:
            axes: names, such as ``"dp"``.

        Raises:
            ValueError: there is no such axis.
        """
        return prod(self._shape[axis] for axis in _single(axes))

    def coordinates(self, rank: int) -> dict[str, int]:
        """Return where a rank stands.

        Args:
            rank: in the group of all ranks.
        """
        at, rest = {}, rank
        for axis in reversed(ORDER):
            rest, at[axis] = divmod(rest, self._shape[axis])
        at["dp"] = at["edp"] * self._shape["ep"] + at["ep"]
        return {axis: at[axis] for axis in AXES}

    def ranks(self, *axes: str) -> tuple[int, ...]:
        """Return the ranks that differ from this one along these axes alone.

        Args:
            axes: names, such as ``"dp"``; of none, this rank alone.

        Returns:
            Ranks of the group of all, in its order; this one is among them.

        Raises:
            ValueError: there is no such axis.
        """
        fixed = [axis for axis in ORDER if axis not in _single(axes)]
        return tuple(
            rank
            for rank in range(self.whole.size())
            if all(
                self.coordinates(rank)[axis] == self.at[axis] for axis in fixed
            )
        )

    def group(self, *axes: str) -> dist.ProcessGroup:
        """Return the process group of the ranks along these axes.

        It is made when it is first asked for, so that all of its ranks ask.

        Args:
            axes: names, such as ``"dp"``, or ``"dp", "cp"`` for both.

        Raises:
            ValueError: there is no such axis.
        """
        ranks = self.ranks(*axes)
        if len(ranks) == self.whole.size():
            return self.whole
        if ranks not in self._groups:
            every = [dist.get_global_rank(self.whole, r) for r in ranks]
            # Else ranks outside of it would have to take part.
            made = dist.new_group(every, use_local_synchronization=True)
            assert made is not None
            self._groups[ranks] = made
        return self._groups[ranks]


def _single(axes: tuple[str, ...]) -> list[str]:
    """Return axes of the grid; data parallel is two of them."""
    found: list[str] = []
    for axis in axes:
        one_of("axis", axis, AXES)
        found += ["edp", "ep"] if axis == "dp" else [axis]
    return found
