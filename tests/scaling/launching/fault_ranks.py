"""Runs whose ranks are killed at chosen moments.

``python fault_ranks.py LAUNCHES`` makes one launch after another and prints,
as JSON, what became of each. ``LAUNCHES`` is a file, a list of objects:

    folder    of the run
    mesh      sizes by axis
    n_steps   of the run
    deaths    of each start of the ranks, the moment, rank and step at which
              a rank is killed
    restarts  how often the launcher may start the ranks again
    stop      after how many steps rank 0 gets a SIGTERM, which ends the run
              behind the next step; 0 for never
    pause     seconds to wait behind each step, if given
    limit     seconds of a step after which a rank counts as hung, if given

A moment with ``hang`` before its name is one in which the rank stays.

In the folder ``started.jsonl``, ``killed.jsonl``, ``ended.jsonl``,
``asked.jsonl`` and
``resumed.jsonl`` tell what became of which rank when.

The launcher is torchrun's own agent. Its ranks are forked from a server that
has imported all they need, where torchrun starts Python once more for each:
that takes seconds of a core. A fork of this process itself would be as fast,
but it has threads, and one that holds a lock at that moment is missing in the
child, which then waits for the lock forever. ``torchrun fault_ranks.py
LAUNCH``, with one such object, is the same with torchrun itself, and ``srun``
starts such ranks too.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import distributed as dist
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
)
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from scratchlm.foundation import durable
from scratchlm.model.block import block
from scratchlm.model.transformer.transformer import TransformerConfig
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.launching import worker
from scratchlm.scaling.launching.rendezvous import find_place, joined
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.in_memory import MemoryTokens
from scratchlm.text.shards.rows import PackedRows
from scratchlm.training.optimizers.adam import adam_step
from scratchlm.training.optimizers.schedules import WarmupStableDecay
from scratchlm.training.pretraining import checkpoint
from scratchlm.training.pretraining.interruption import Interrupted
from scratchlm.training.pretraining.log import RunLog
from scratchlm.training.pretraining.run import Run

PERIOD = 0.15  # seconds between signs of life; short, since tests wait for it
DECAY = 0.1  # of weights
MODEL = TransformerConfig(
    vocab_size=31,
    d_model=32,
    n_layers=2,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=48,
    max_tokens=32,
    tied=True,
)


def batches():
    """Few rows of unequal documents, so that epochs end within the run."""
    draws = np.random.default_rng(0)
    documents = [
        draws.integers(1, 31, draws.integers(1, 11)) for _ in range(40)
    ]
    rows = PackedRows(MemoryTokens(documents, end_id=0), 12)
    return Batches(rows, BatchConfig(batch_size=8))


class AdamW:
    """The package's AdamW without PyTorch's base class, which imports the
    compiler: seconds of a core for each process that starts.

    Args:
        model: whose parameters move, all alike.
    """

    def __init__(self, model):
        settings = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8}
        self.param_groups = [{"params": [*model.parameters()], **settings}]
        self.state = defaultdict(dict)

    @torch.no_grad()
    def step(self):
        """Move each parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, group)

    def update(self, p, group):
        """Move one parameter."""
        p.mul_(1 - group["lr"] * DECAY)
        adam_step(p, p.grad, self.state[p], group)


def run_of(n_steps):
    """The run of all launches, but for its length."""
    return Run(
        model=MODEL,
        batches=batches,
        n_steps=n_steps,
        optimizer=AdamW,
        schedule=WarmupStableDecay(n_steps=40, warmup=4, decay=20),
        save_every=2,
        keep=2,
    )


class Death:
    """Kills this process at one moment, if it is its rank's and its step's.

    Args:
        moment: its name.
        step: in which it happens; None for before the first one of a start.
        folder: where the time of the death is noted.
    """

    def __init__(self, moment, step, folder):
        self.moment, self.step, self.folder = moment, step, folder
        self.now = None  # the step, once one was made

    def __call__(self, moment):
        """Die, if this is the moment; or hang in it."""
        if self.moment == f"hang {moment}" and self.now == self.step:
            time.sleep(600)
        if moment == self.moment and self.now == self.step:
            note(self.folder, "killed", moment=moment)
            os.kill(os.getpid(), signal.SIGKILL)


def note(folder, name, **told):
    """Append a line to a file of what happened when."""
    place = find_place(os.environ)
    line = {"start": place.restarts, "rank": place.rank, "at": time.time()}
    with (folder / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({**line, **told}) + "\n")


def before(die, moment):
    """A function that may not be reached."""
    return lambda f: lambda *args, **kw: (die(moment), f(*args, **kw))[1]


def after(die, moment):
    """A function that may be the last to be called."""

    def make(f):
        def call(*args, **kw):
            result = f(*args, **kw)
            die(moment)
            return result

        return call

    return make


def in_backward(die):
    """A block whose gradient may not come through."""

    def make(f):
        def call(*args, **kw):
            out = f(*args, **kw)
            if out.requires_grad:
                out.register_hook(lambda _: die("in the backward pass"))
            return out

        return call

    return make


def in_collective(die):
    """A sum over ranks that has begun and may not end."""

    def make(f):
        def call(*args, **kw):
            if die.moment == "in a collective" and die.now == die.step:
                f(*args, **{**kw, "async_op": True})
                die("in a collective")
            return f(*args, **kw)

        return call

    return make


def noted(die):
    """A resumption whose step is written down."""

    def make(f):
        def call(*args, **kw):
            step = f(*args, **kw)
            note(die.folder, "resumed", step=step)
            return step

        return call

    return make


def half_a_row(die):
    """A row of the log that may be cut."""

    def make(f):
        def call(self, line):
            if die.moment == "within a row of the log" and (
                die.now == die.step
            ):
                self._file.write(line[: len(line) // 2])
                die("within a row of the log")
            return f(self, line)

        return call

    return make


# What is replaced, and by what. The names are those of the moments.
PLACES = (
    (worker, "require_same", partial(before, moment="at the start")),
    (worker, "load_on_mesh", noted),
    (worker, "load_on_mesh", partial(after, moment="once resumed")),
    (block.PreNorm, "forward", partial(before, moment="in the forward pass")),
    (block.PreNorm, "forward", in_backward),
    (dist, "all_reduce", in_collective),
    (AdamW, "update", partial(after, moment="while weights move")),
    (RunLog, "_append", half_a_row),
    (MeshParallel, "move", partial(after, moment="behind the optimizer")),
    (worker, "save_on_mesh", partial(before, moment="before a checkpoint")),
    (durable, "_take_name", partial(before, moment="before the rename")),
    (durable, "_take_name", partial(after, moment="behind the rename")),
    (
        checkpoint,
        "remove_folder",
        partial(before, moment="before old ones go"),
    ),
)


def be_rank(launch):
    """Be a rank of a launch, until it is done or dies."""
    # Those of the agent, which a rank inherits that is forked from it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    place = find_place(os.environ)
    folder = Path(launch["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    note(folder, "started")
    deaths = dict(enumerate(launch["deaths"]))
    moment, rank, step = deaths.get(place.restarts, ("never", -1, -1))
    die = Death(moment if rank == place.rank else "never", step, folder)
    torch.set_num_threads(1)
    for owner, name, make in PLACES:
        setattr(owner, name, make(die)(getattr(owner, name)))
    die("before the group")
    try:
        with joined(place, seconds=60.0) as group:
            train(launch, group, die)
    except Interrupted as error:
        note(folder, "asked", told=str(error))
        sys.exit(128 + error.number)
    except Exception as error:
        note(folder, "ended", told=str(error))
        raise


def train(launch, group, die):
    """Train, and ask for the end where that is wanted."""
    job = worker.Work(
        run=run_of(launch["n_steps"]), mesh=Mesh(**launch["mesh"])
    )
    steps = worker.work(
        job,
        Path(launch["folder"]),
        group,
        limit=launch.get("limit", 60.0),
        period=PERIOD,
    )
    for step in steps:
        die.now = step.step + 1
        die("between steps")
        time.sleep(launch.get("pause", 0.0))
        if group.rank() == 0 and step.step + 1 == launch["stop"]:
            os.kill(os.getpid(), signal.SIGTERM)


def train_undisturbed(group, launch):
    """Train on ranks that are there already."""
    train(launch, group, Death("never", -1, Path(launch["folder"])))


def start(launch):
    """Make one launch with torchrun's agent, and say how it went."""
    world = Mesh(**launch["mesh"]).world
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=world,
        run_id="faults",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=launch["restarts"],
        # Until a rank has something to save, the launcher's signal ends it:
        # it shall have the time to find who is dead.
        monitor_interval=0.5,
        start_method="forkserver",
    )
    begun = time.time()
    try:
        elastic_launch(config, be_rank)(launch)
        failed = ""
    except ChildFailedError as error:
        failed = str(error)
    return {"failed": failed, "seconds": time.time() - begun}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    if isinstance(given, dict):
        be_rank(given)
    else:
        multiprocessing.set_forkserver_preload(
            [name for name in sys.modules if name.startswith("scratchlm.")]
        )
        print(json.dumps([start(launch) for launch in given]))
