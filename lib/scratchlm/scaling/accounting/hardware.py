"""Chips, and clusters of them, by their data sheets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from scratchlm.foundation.arguments import one_of

GB = 1e9


@dataclass(frozen=True, kw_only=True)
class Chip:
    """An accelerator.

    Rates to other chips are of one direction. The data sheets of NVLink add
    up both.

    Args:
        name: what it is called here.
        peaks: operations a second of dense products, by type of numbers.
        memory: bytes.
        bandwidth: of its memory, bytes a second.
        link: to chips of its node, bytes a second.
        network: to other nodes, bytes a second and chip.
        kernel_rate: the part of the peak that a product of 10^12 operations
            reaches in a training step.
        kernel_slope: the power of its operations with which that part
            grows. Both hold for all runs on a chip, and are fitted: the A100
            to Megatron-LM's runs, the H100 to MosaicML's, the slower H100 to
            torchtitan's; the others have a sibling's.

    Source: NVIDIA, data sheets of V100 (2020), A100 (2022), H100 (2024) and
    H200 (2024), with the networks of DGX systems.
    """

    name: str
    peaks: Mapping[str, float]
    memory: float
    bandwidth: float
    link: float
    network: float
    kernel_rate: float
    kernel_slope: float = 0.0

    def peak(self, dtype: str) -> float:
        """Return the operations a second that the data sheet promises.

        Args:
            dtype: ``"bfloat16"``, which stands for all types of 16 bits,
                ``"float8"`` or ``"float32"``.

        Raises:
            ValueError: the chip has no units for this type.
        """
        if dtype not in self.peaks:
            raise ValueError(
                f"{self.name} multiplies no {dtype}; give "
                f"{' or '.join(self.peaks)}"
            )
        return self.peaks[dtype]

    def reached(self, dtype: str, flops: float) -> float:
        """Return the operations a second of a product in a training step.

        Args:
            dtype: as in :meth:`peak`.
            flops: of the product; a large one keeps more of the chip busy.

        Raises:
            ValueError: the chip has no units for this type.
        """
        part = self.kernel_rate * (flops / 1e12) ** self.kernel_slope
        return self.peak(dtype) * min(1.0, part)


_H100 = Chip(
    name="h100",
    peaks={"bfloat16": 989.4e12, "float8": 1978.9e12, "float32": 67e12},
    memory=80 * GB,
    bandwidth=3.35e12,
    link=450 * GB,
    network=50 * GB,
    kernel_rate=0.56,
    kernel_slope=0.12,
)
_A100 = Chip(
    name="a100",
    peaks={"bfloat16": 312e12, "float32": 19.5e12},
    memory=80 * GB,
    bandwidth=2.039e12,
    link=300 * GB,
    network=25 * GB,
    kernel_rate=0.70,
)
CHIPS: Mapping[str, Chip] = MappingProxyType(
    {
        chip.name: chip
        for chip in (
            Chip(
                name="v100",
                peaks={"bfloat16": 125e12, "float32": 15.7e12},
                memory=32 * GB,
                bandwidth=0.9e12,
                link=150 * GB,
                network=12.5 * GB,
                kernel_rate=_A100.kernel_rate,
            ),
            _A100,
            _H100,
            # Of the Grand Teton servers on which PyTorch's team measures.
            replace(
                _H100,
                name="h100-500w",
                memory=96 * GB,
                bandwidth=2.4e12,
                kernel_rate=0.45,
            ),
            replace(_H100, name="h200", memory=141 * GB, bandwidth=4.8e12),
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Nodes of equal chips.

    Args:
        chip: of which it is made.
        n_chips: W, one process each.
        per_node: chips that share the fast links.

    Raises:
        ValueError: a number is below 1, or nodes are not full.
    """

    chip: Chip
    n_chips: int
    per_node: int = 8

    def __post_init__(self) -> None:
        if self.n_chips < 1 or self.per_node < 1:
            raise ValueError(
                f"n_chips is {self.n_chips} and per_node {self.per_node}; "
                "give 1 or more"
            )
        if self.n_chips > self.per_node and self.n_chips % self.per_node:
            raise ValueError(
                f"{self.n_chips} chips do not fill nodes of "
                f"{self.per_node}; take "
                f"{self.n_chips // self.per_node * self.per_node}"
            )

    def rate(self, size: int, stride: int) -> float:
        """Return the bytes a second of a chip within a group.

        The members of a group that share a node use all of its adapters, so
        the more of them, the faster the group is between nodes.

        Args:
            size: members of the group.
            stride: ranks from one member to the next.
        """
        within = max(1, min(size, self.per_node // stride))
        if size <= within:
            return self.chip.link
        return min(self.chip.link, within * self.chip.network)


def cluster(chip: str, n_chips: int, per_node: int = 8) -> Cluster:
    """Return a cluster of chips that are known by name.

    Args:
        chip: a name in ``CHIPS``.
        n_chips: W.
        per_node: chips that share the fast links.

    Raises:
        ValueError: there is no such chip, or the numbers do not fit.
    """
    one_of("chip", chip, tuple(CHIPS))
    return Cluster(chip=CHIPS[chip], n_chips=n_chips, per_node=per_node)
