"""Which rank a process is, as its launcher says, and how it meets the others.

::

    srun, two tasks on each of two nodes      torchrun on each of two nodes

    n1  SLURM_PROCID=0  SLURM_LOCALID=0       n1  RANK=0  LOCAL_RANK=0
        SLURM_PROCID=1  SLURM_LOCALID=1           RANK=1  LOCAL_RANK=1
    n2  SLURM_PROCID=2  SLURM_LOCALID=0       n2  RANK=2  LOCAL_RANK=0
        SLURM_PROCID=3  SLURM_LOCALID=1           RANK=3  LOCAL_RANK=1

A launcher tells each process its rank in the environment. The processes meet
at one address: rank 0's store, where each leaves where it can be reached.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import torch
from torch import distributed as dist

# Ports for jobs. Below 32768, from where Linux takes ports for connections
# that programs open, and above those of services (Slurm's: 6817, 6818).
_FIRST_PORT, _N_PORTS = 12_000, 20_000

_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_BY_SRUN = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
_HOSTS = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST")
_TASKS = ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")

# A part of a list of hosts: up to a comma outside of brackets.
_PART = re.compile(r"(?:[^\[\],]|\[[^\[\]]*\])+")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_COUNT = re.compile(r"(\d+)(?:\(x(\d+)\))?")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which rank a process is, and where all meet.

    Args:
        rank: from 0.
        world: W, how many there are.
        local_rank: among those of its node, from 0: which GPU is its own.
        local_world: how many its node has.
        master: host and port of the store at which ranks meet.
        restarts: how often the launcher has started the ranks again.
        job: the scheduler's number; None without a scheduler.
        hosted: whether the launcher keeps the store; else rank 0 does.

    Raises:
        ValueError: a number is out of range.
    """

    rank: int
    world: int
    local_rank: int
    local_world: int
    master: tuple[str, int]
    restarts: int = 0
    job: str | None = None
    hosted: bool = False

    def __post_init__(self) -> None:
        for name, here, among in (
            ("rank", self.rank, self.world),
            ("local rank", self.local_rank, self.local_world),
        ):
            if not 0 <= here < among:
                raise ValueError(
                    f"the {name} is {here} of {among}; it goes from 0 to "
                    f"{among - 1}. The environment is not one launcher's: "
                    f"start all ranks by torchrun, or all by srun"
                )


def find_place(environ: Mapping[str, str]) -> Place:
    """Return the place that a launcher gave this process.

    torchrun's word counts before Slurm's: srun may start torchrun, which
    starts the ranks.

    Args:
        environ: variables, such as ``os.environ``.

    Raises:
        ValueError: there is no launcher, it has not said all, or the process
            is a job's script and not one of its tasks.
    """
    if any(name in environ for name in ("RANK", "TORCHELASTIC_RUN_ID")):
        return _place_by_torchrun(environ)
    if "SLURM_JOB_ID" in environ:
        return _place_by_srun(environ)
    raise ValueError(
        "no launcher has started this process: there is neither RANK nor "
        "SLURM_PROCID in its environment. Start it by `torchrun "
        "--nproc-per-node 2 -m ...` on this machine, or by `srun` in a job "
        "of Slurm"
    )


def _place_by_torchrun(environ: Mapping[str, str]) -> Place:
    told = (*_BY_TORCHRUN, "MASTER_ADDR", "MASTER_PORT")
    _require(environ, told, "torchrun", "start it by `torchrun -m ...`")
    rank, world, local_rank, local_world = (
        _whole(environ, name) for name in _BY_TORCHRUN
    )
    return Place(
        rank=rank,
        world=world,
        local_rank=local_rank,
        local_world=local_world,
        master=(environ["MASTER_ADDR"], _whole(environ, "MASTER_PORT")),
        restarts=_whole(environ, "TORCHELASTIC_RESTART_COUNT", "0"),
        job=environ.get("SLURM_JOB_ID"),
        hosted=environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )


def _place_by_srun(environ: Mapping[str, str]) -> Place:
    job = environ["SLURM_JOB_ID"]
    # A job's script has SLURM_PROCID=0 and the number of tasks: it would be
    # taken for rank 0, and wait for others that nobody starts.
    if environ.get("SLURM_STEP_ID") is None:
        raise ValueError(
            f"this process is the script of job {job}, which runs once and "
            f"not once for each task; put `srun` before the command"
        )
    hosts = next((environ[n] for n in _HOSTS if n in environ), None)
    named = (*_BY_SRUN, *(() if hosts else _HOSTS[:1]))
    _require(environ, named, "srun", "start it by `srun --ntasks N ...`")
    assert hosts is not None
    rank, world, local_rank = (_whole(environ, name) for name in _BY_SRUN)
    # A job's script may say better than Slurm how its first node is reached.
    host = environ.get("MASTER_ADDR") or expand_hosts(hosts)[0]
    port = _whole(environ, "MASTER_PORT", str(job_port(job)))
    return Place(
        rank=rank,
        world=world,
        local_rank=local_rank,
        local_world=_tasks_here(environ, world, hosts),
        master=(host, port),
        restarts=_whole(environ, "SLURM_RESTART_COUNT", "0"),
        job=job,
    )


def _tasks_here(environ: Mapping[str, str], world: int, hosts: str) -> int:
    """Return how many tasks this node has; equal shares if nothing is told."""
    told = next((environ[n] for n in _TASKS if n in environ), None)
    if told is None:
        return world // len(expand_hosts(hosts))
    counts = expand_counts(told)
    node = _whole(environ, "SLURM_NODEID", "0")
    if node >= len(counts):
        raise ValueError(
            f"SLURM_NODEID is {node}, and {told!r} tells of {len(counts)} "
            f"nodes; start the tasks by one srun"
        )
    return counts[node]


def _require(
    environ: Mapping[str, str], names: tuple[str, ...], who: str, remedy: str
) -> None:
    missing = [name for name in names if name not in environ]
    if missing:
        raise ValueError(
            f"{who} seems to have started this process, and "
            f"{', '.join(missing)} is missing in its environment; {remedy}, "
            f"and pass the environment on"
        )


def _whole(
    environ: Mapping[str, str], name: str, otherwise: str | None = None
) -> int:
    told = environ[name] if otherwise is None else environ.get(name, otherwise)
    if not told.isdecimal():
        raise ValueError(
            f"{name} is {told!r}, and must be a whole number; leave it to the "
            f"launcher"
        )
    return int(told)


def expand_hosts(told: str) -> list[str]:
    """Return the hosts of a list as Slurm abbreviates it.

    ``n[1-3,7],m2`` is n1, n2, n3, n7 and m2; ``r[1-2]n[01-02]`` is r1n01,
    r1n02, r2n01 and r2n02.

    Args:
        told: names joined by commas, with ranges of numbers in brackets.

    Raises:
        ValueError: it is no such list.
    """
    parts = _PART.findall(told)
    if not parts or ",".join(parts) != told:
        raise ValueError(_odd(told))
    return [host for part in parts for host in _hosts_of(part, told)]


def _hosts_of(part: str, told: str) -> list[str]:
    before, bracket, rest = part.partition("[")
    if not bracket:
        return [part]
    inside, _, after = rest.partition("]")
    numbers = [n for each in inside.split(",") for n in _numbers(each, told)]
    tails = _hosts_of(after, told) if after else [""]
    return [f"{before}{n}{tail}" for n in numbers for tail in tails]


def _numbers(told: str, whole: str) -> list[str]:
    match = _RANGE.fullmatch(told)
    first, last = (match[1], match[2] or match[1]) if match else ("1", "0")
    if int(first) > int(last):
        raise ValueError(_odd(whole))
    return [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]


def _odd(told: str) -> str:
    return (
        f"{told!r} is no list of hosts as Slurm writes it, such as "
        f"'n[1-3,7],m2'; give what `scontrol show hostnames` understands"
    )


def expand_counts(told: str) -> list[int]:
    """Return the tasks of each node as Slurm abbreviates them.

    ``2(x3),1`` is two on each of three nodes, and one on a fourth.

    Args:
        told: numbers joined by commas, each perhaps with how often it counts.

    Raises:
        ValueError: it is no such list.
    """
    counts: list[int] = []
    for part in told.split(","):
        match = _COUNT.fullmatch(part)
        if match is None:
            raise ValueError(
                f"{told!r} is no list of tasks for each node as Slurm writes "
                f"it, such as '2(x3),1'"
            )
        counts += [int(match[1])] * int(match[2] or 1)
    return counts


def job_port(job: str) -> int:
    """Return the port at which the ranks of a job meet.

    All know it without a word, and two jobs that share a node seldom have
    the same: their numbers would differ by a multiple of 20,000.

    Args:
        job: its number, as Slurm gives it.

    Raises:
        ValueError: it is no number.
    """
    if not job.isdecimal():
        raise ValueError(f"the job is {job!r}; give its number, such as 4711")
    return _FIRST_PORT + int(job) % _N_PORTS


def new_round(store: Any, place: Place, seconds: float) -> Any:
    """Agree with the other ranks on a part of a store that is empty.

    The store of torchrun outlives the ranks that it starts again. There the
    addresses of dead ranks stand where the new ones are to be, and a rank
    that looks before another has written connects to nobody. The number of
    the restart would not do: each node's torchrun counts its own.

    So each rank draws a name. Rank 0's is that of the round. The others write
    theirs under it, until rank 0 has confirmed them; of what rank 0 of an
    earlier start confirmed, none is theirs.

    Args:
        store: a ``torch.distributed.Store`` of all ranks.
        place: of this process.
        seconds: to wait for the others.

    Raises:
        TimeoutError: rank 0 has not confirmed this rank in time.
    """
    own, limit = uuid4().hex, time.monotonic() + seconds
    if place.rank == 0:
        store.set("round", own)
        others = [store.get(f"{own}/{r}") for r in range(1, place.world)]
        store.set(f"{own}/all", b",".join(others).decode())
        return dist.PrefixStore(  # type: ignore[attr-defined]
            own, store
        )
    while time.monotonic() < limit:
        name = store.get("round").decode()
        store.set(f"{name}/{place.rank}", own)
        try:
            store.wait([f"{name}/all"], timedelta(seconds=1))
        except dist.DistStoreError:  # some are late, or this round is over
            continue
        if own.encode() in store.get(f"{name}/all").split(b","):
            return dist.PrefixStore(  # type: ignore[attr-defined]
                name, store
            )
        time.sleep(0.05)  # rank 0 of this start has not come yet
    raise TimeoutError(f"rank 0 has not been heard of for {seconds:g} seconds")


@contextmanager
def joined(
    place: Place, *, device: str = "cpu", seconds: float = 600.0
) -> Iterator[dist.ProcessGroup]:
    """Meet the other ranks, and part from them at the end of the block.

    Args:
        place: of this process.
        device: ``"cpu"``, or ``"cuda"`` for a GPU for each rank of a node.
        seconds: that ranks wait for each other, here and in a collective.

    Yields:
        The group of all ranks: gloo, and for tensors on a GPU, nccl.

    Raises:
        ConnectionError: some did not come, or left again; it says who
            waited where.
        ValueError: the node has fewer GPUs than ranks.
    """
    limit = timedelta(seconds=seconds)
    if device != "cpu":
        _take_gpu(place)
    host, port = place.master
    begun = time.monotonic()
    try:
        store = dist.TCPStore(  # type: ignore[attr-defined]
            host,
            port,
            place.world,
            is_master=place.rank == 0 and not place.hosted,
            timeout=limit,
        )
        dist.init_process_group(
            "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl",
            store=new_round(store, place, seconds),
            rank=place.rank,
            world_size=place.world,
            timeout=limit,
        )
    # PyTorch's own are of the first kind.
    except (RuntimeError, TimeoutError) as error:
        waited = time.monotonic() - begun
        raise ConnectionError(
            f"rank {place.rank} of {place.world} has not met the others at "
            f"{host}:{port}, after {waited:.0f} of {seconds:g} seconds. Look "
            f"whether each rank was started and still runs, whether rank 0 "
            f"runs on {host} and whether another program has the port: "
            f"{error}"
        ) from error
    group = dist.group.WORLD
    assert group is not None
    try:
        yield group
    finally:
        dist.destroy_process_group()


def _take_gpu(place: Place) -> None:
    there = torch.cuda.device_count()
    if place.local_world > there:
        raise ValueError(
            f"this node has {there} GPUs for {place.local_world} ranks; start "
            f"{max(1, there)} on each node, or pass device='cpu'"
        )
    torch.cuda.set_device(place.local_rank)
