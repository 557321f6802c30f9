"""A run whose speed or memory somebody published."""

from dataclasses import dataclass

from scratchlm.scaling.accounting.hardware import cluster
from scratchlm.scaling.accounting.job import Job
from scratchlm.scaling.accounting.planner import Plan, plan

GIB = 2.0**30


@dataclass(frozen=True, kw_only=True)
class Run:
    """A row of a published table.

    Args:
        source: its key in the book's bibliography.
        table: where in the source it stands.
        chip: by name.
        job: the step.
        seconds: of a step; None where that was not published.
        memory: bytes of the fullest device; None likewise.
        assumed: what the source does not say, and what is taken instead.
    """

    source: str
    table: str
    chip: str
    job: Job
    seconds: float | None = None
    memory: float | None = None
    assumed: str = ""

    @property
    def n_chips(self) -> int:
        """W."""
        return self.job.mesh.world

    def planned(self) -> Plan:
        """Return what the planner says of it."""
        return plan(self.job, cluster(self.chip, self.n_chips))

    def time_error(self) -> float:
        """Return by which part the planned seconds are too many.

        Raises:
            ValueError: no time was published.
        """
        if self.seconds is None:
            raise ValueError(f"{self.table} of {self.source} has no times")
        return self.planned().seconds / self.seconds - 1

    def memory_error(self) -> float:
        """Return by which part the planned bytes are too many.

        Raises:
            ValueError: no memory was published.
        """
        if self.memory is None:
            raise ValueError(f"{self.table} of {self.source} has no memory")
        return self.planned().memory.total / self.memory - 1


def seconds_at(
    flops: float, n_chips: int, tera_per_chip: int | float
) -> float:
    """Return the time of a step that was published as operations a second.

    Args:
        flops: of the step, by the formula of the source.
        n_chips: W.
        tera_per_chip: TFLOP/s of each.
    """
    return flops / (n_chips * tera_per_chip * 1e12)
