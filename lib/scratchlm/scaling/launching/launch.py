"""What a run on several processes asks of machines and of a scheduler."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from scratchlm.foundation.arguments import one_of

STARTERS = ("torchrun", "srun")
# What Slurm takes as a name without quotes, and a shell too.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PRINTED = re.compile(r"[^\x00-\x1f\x7f]*")
# Seconds that a batch script keeps for itself of the warning it gets.
RESERVE = 15


@dataclass(frozen=True, kw_only=True)
class Launch:
    """Processes of one run, and what they may take.

    Args:
        name: of the job.
        command: what Python runs on each rank, such as ``("-m", "package")``
            or ``("train.py", "--lr", "1")``.
        folder: of the run; its logs are written there. An absolute path that
            all nodes see.
        nodes: machines.
        least_nodes: with fewer than ``nodes`` the run goes on while at least
            so many are left; all of them if None.
        ranks_per_node: processes of a machine, one for each GPU where there
            are GPUs.
        cpus_per_rank: cores of a process.
        gpus_per_rank: 0, or 1.
        minutes: after which the scheduler ends the job.
        partition: of the cluster; its default if None.
        account: that pays; the user's default if None.
        environment: variables that the ranks see.
        requeue: whether a job whose machine failed, or whose time is over,
            is put into the queue again.
        warning: seconds before the end at which the job is told of it.
        max_restarts: how often torchrun starts all ranks anew after one
            failed, before the job fails.
        starter: who starts the ranks on a node: ``"torchrun"``, of which
            Slurm starts one on each node, or ``"srun"``, which starts each
            rank itself and restarts none.
        python: the interpreter on the nodes.

    Raises:
        ValueError: a number is out of range, or a name would need quotes.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    nodes: int = 1
    least_nodes: int | None = None
    ranks_per_node: int = 1
    cpus_per_rank: int = 1
    gpus_per_rank: int = 0
    minutes: int = 60
    partition: str | None = None
    account: str | None = None
    environment: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({})
    )
    requeue: bool = True
    warning: int = 120
    max_restarts: int = 3
    starter: str = "torchrun"
    python: str = "python"

    def __post_init__(self) -> None:
        one_of("starter", self.starter, STARTERS)
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; give {least} or more"
                )
        self._check_sizes()
        self._check_names()

    def _check_sizes(self) -> None:
        if self.gpus_per_rank > 1:
            raise ValueError(
                f"gpus_per_rank is {self.gpus_per_rank}, and a rank computes "
                "on one GPU; give 1, and more ranks_per_node"
            )
        least = self.least_nodes
        if least is not None and not 1 <= least <= self.nodes:
            raise ValueError(
                f"least_nodes is {least} of {self.nodes} nodes; give 1 to "
                f"{self.nodes}"
            )
        if self.elastic and self.starter == "srun":
            raise ValueError(
                "srun cannot go on with fewer nodes; give starter='torchrun' "
                "or no least_nodes"
            )
        if self.warning >= 60 * self.minutes:
            raise ValueError(
                f"warning is {self.warning} seconds of a job of "
                f"{self.minutes} minutes; give fewer than "
                f"{60 * self.minutes}"
            )

    def _check_names(self) -> None:
        for what in ("name", "partition", "account"):
            value = getattr(self, what)
            if value is not None and not _NAME.fullmatch(value):
                raise ValueError(
                    f"{what} is {value!r}; give letters, digits and _.+- "
                    "alone, which Slurm and a shell read alike"
                )
        for variable in self.environment:
            if not _VARIABLE.fullmatch(variable):
                raise ValueError(
                    f"environment has {variable!r}, which no shell can set; "
                    "give letters, digits and _ alone"
                )
        if not self.command:
            raise ValueError("command is empty; give what Python shall run")
        texts = [*self.command, *self.environment.values(), self.python]
        for text in (*texts, str(self.folder)):
            if not _PRINTED.fullmatch(text):
                raise ValueError(
                    f"{text!r} has a character that no line of a script can "
                    "hold; leave out line breaks and control characters"
                )
        folder = str(self.folder)
        if not self.folder.is_absolute() or set(folder) & set("\\\"'"):
            raise ValueError(
                f"folder is {folder}; give an absolute path without quotes "
                "and backslashes, which Slurm reads as something else"
            )

    @property
    def elastic(self) -> bool:
        """Whether the run goes on with fewer nodes."""
        return self.least_nodes not in (None, self.nodes)

    @property
    def world(self) -> int:
        """W, the processes of all nodes."""
        return self.nodes * self.ranks_per_node


_LEAST = {
    "nodes": 1,
    "ranks_per_node": 1,
    "cpus_per_rank": 1,
    "gpus_per_rank": 0,
    "minutes": 1,
    "warning": RESERVE + 15,
    "max_restarts": 0,
}
