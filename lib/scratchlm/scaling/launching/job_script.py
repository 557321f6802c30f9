"""The command that starts ranks, and the script that a scheduler runs."""

import shlex
from collections.abc import Iterable

from scratchlm.scaling.launching.launch import RESERVE, Launch

# Below those that systems give to whoever asks for any port.
_FIRST_PORT, _N_PORTS = 12_000, 20_000
_HEAD = """\
set -euo pipefail

# This script runs on the first host of the job, which is where ranks meet.
# The port follows from the job's number, so that two jobs do not share one.
host=$(hostname)
port=$(({first_port} + SLURM_JOB_ID % {n_ports}))
"""
_END = """\

# Slurm tells this shell alone that the time is nearly over. The ranks are
# told by it, and write a checkpoint; the shell waits, and asks for more time.
asked=no
ask_to_end() {{
    asked=yes
    scancel --signal=TERM "$SLURM_JOB_ID" || true # no step has begun yet
}}
trap ask_to_end USR1

{step} &
step=$!
code=0
wait "$step" || code=$?
while kill -0 "$step" 2>/dev/null; do # a signal interrupts the wait
    code=0
    wait "$step" || code=$?
done
{again}exit "$code"
"""
_AGAIN = """\
if [[ $asked == yes && $code -ne 0 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
"""


def torchrun(launch: Launch, endpoint: str | None = None) -> list[str]:
    """Return the command that starts the ranks of this machine.

    The same command runs on each node. The launchers find each other at the
    endpoint and agree on who has which ranks.

    Args:
        launch: of the run.
        endpoint: host and port of one of the nodes, ``"node1:29400"``; not
            needed for one node.

    Raises:
        ValueError: there are several nodes and no endpoint.

    Source: PyTorch 2.13, torch/distributed/run.py.
    """
    if endpoint is None and launch.nodes > 1:
        raise ValueError(
            f"{launch.nodes} nodes have to meet; give an endpoint, the host "
            "and port of one of them, such as node1:29400"
        )
    meeting = (
        ["--standalone"]
        if endpoint is None
        else [f"--rdzv-endpoint={endpoint}", f"--rdzv-id={launch.name}"]
    )
    return [*_launcher(launch), *meeting, *launch.command]


def sbatch_script(launch: Launch) -> str:
    """Return a script for Slurm's ``sbatch``.

    ::

        sbatch ── script, on the first node ── srun ─┬─ torchrun ─┬─ rank 0
                    ▲                                │            └─ rank 1
                    └─ USR1 before the end           └─ torchrun ─┬─ rank 2
                                                                  └─ rank 3

    Args:
        launch: of the run.

    Source: SchedMD, manuals of sbatch, srun and scancel, Slurm 22.05.
    """
    head = _HEAD.format(first_port=_FIRST_PORT, n_ports=_N_PORTS)
    return "".join(
        [
            "#!/bin/bash\n",
            *(f"#SBATCH {option}\n" for option in _directives(launch)),
            head,
            *(f"export {line}\n" for line in _exports(launch)),
            _END.format(
                step=_step(launch), again=_AGAIN if launch.requeue else ""
            ),
        ]
    )


def _launcher(launch: Launch) -> list[str]:
    """Torchrun and how it treats the ranks of its node."""
    nodes = f"{launch.nodes}"
    if launch.elastic:
        nodes = f"{launch.least_nodes}:{launch.nodes}"
    return [
        *(launch.python, "-m", "torch.distributed.run"),
        f"--nnodes={nodes}",
        f"--nproc-per-node={launch.ranks_per_node}",
        "--rdzv-backend=c10d",
        f"--max-restarts={launch.max_restarts}",
        # Its own 30 seconds may end a rank that is writing a checkpoint.
        f"--shutdown-timeout={launch.warning - RESERVE}",
    ]


def _directives(launch: Launch) -> list[str]:
    tasks, cores, gpus = 1, launch.ranks_per_node, 0
    if launch.starter == "srun":
        tasks, cores = launch.ranks_per_node, 1
    gpus = launch.gpus_per_rank * launch.ranks_per_node
    nodes = f"{launch.nodes}"
    if launch.elastic:
        nodes = f"{launch.least_nodes}-{launch.nodes}"
    # Slurm replaces %j by the number of the job.
    log = str(launch.folder / "slurm").replace("%", "%%")
    return [
        f"--job-name={launch.name}",
        f"--nodes={nodes}",
        f"--ntasks-per-node={tasks}",
        f"--cpus-per-task={cores * launch.cpus_per_rank}",
        *([f"--gpus-per-node={gpus}"] if gpus else []),
        f"--time={launch.minutes}",
        *([f"--partition={launch.partition}"] if launch.partition else []),
        *([f"--account={launch.account}"] if launch.account else []),
        f'--output="{log}-%j.log"',
        "--open-mode=append",  # else a requeued job empties its own log
        "--requeue" if launch.requeue else "--no-requeue",
        *(["--no-kill"] if launch.elastic else []),
        f"--signal=B:USR1@{launch.warning}",
    ]


def _exports(launch: Launch) -> Iterable[str]:
    # Torchrun would set one thread, whatever cores there are.
    yield f"OMP_NUM_THREADS={launch.cpus_per_rank}"
    yield "PYTHONUNBUFFERED=1"
    if launch.starter == "srun":
        yield 'MASTER_ADDR="$host" MASTER_PORT="$port"'
    for variable, value in launch.environment.items():
        yield f"{variable}={shlex.quote(value)}"


def _step(launch: Launch) -> str:
    """The line that starts all ranks."""
    cores = launch.cpus_per_rank
    if launch.starter == "torchrun":
        cores *= launch.ranks_per_node
    # Since 22.05 srun does not take the cores of a task from sbatch.
    begin = ["srun", f"--cpus-per-task={cores}"]
    # One launcher that fails leaves the others waiting; an elastic run goes
    # on without it.
    begin.append(f"--kill-on-bad-exit={int(not launch.elastic)}")
    program = shlex.join(launch.command)
    if launch.starter == "srun":
        return f"{shlex.join([*begin, launch.python])} {program}"
    meeting = '--rdzv-endpoint="$host:$port" --rdzv-id="$SLURM_JOB_ID"'
    words = _launcher(launch)
    parts = (begin, words[:3], words[3:6], words[6:])
    lines = [*map(shlex.join, parts), meeting, program]
    return " \\\n    ".join(lines)
