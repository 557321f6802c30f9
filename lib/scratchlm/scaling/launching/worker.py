"""One rank's part in a training run that survives its ranks.

::

    folder/
      log.csv                a row for each step, written by rank 0
      checkpoints/
        step-000400/         of any mesh
      watch/
        beat-0.json          of each rank: whether it lives
        stack-0              and where it stood, if the run hung
"""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Never

import numpy as np
import torch
from torch import distributed as dist
from tqdm import tqdm

from scratchlm.foundation.durable import only_writer
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.accounting.job import Mesh
from scratchlm.scaling.data_parallel.agreement import require_same
from scratchlm.scaling.launching.heartbeat import PERIOD, Heartbeat, pulses
from scratchlm.scaling.launching.stragglers import (
    OwnTime,
    gather_laps,
    slow_ranks,
)
from scratchlm.scaling.launching.watchdog import Watchdog
from scratchlm.scaling.meshes.mesh_checkpoint import (
    load_on_mesh,
    save_on_mesh,
)
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.training.pretraining.checkpoint import checkpoints
from scratchlm.training.pretraining.interruption import (
    Interrupted,
    Request,
    requests_to_end,
)
from scratchlm.training.pretraining.log import RunLog, read_log
from scratchlm.training.pretraining.loop import CHECKPOINTS, COLUMNS, LOG
from scratchlm.training.pretraining.micro_batches import as_tensors
from scratchlm.training.pretraining.run import Run, language_loss
from scratchlm.training.pretraining.state import seed_everything
from scratchlm.training.pretraining.step import Diverged, Step

WATCH = "watch"
# What PyTorch says where another rank has gone: gloo, by its own sources'
# names; a store, whose connection is closed.
_GONE = re.compile(r"gloo/|closed by peer|reset by peer|Broken pipe|recvValue")


class Lost(RuntimeError):
    """This rank cannot go on, since another one has gone."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A run, and how ranks share it.

    Args:
        run: what is to be done; in float32.
        mesh: of the ranks. A run may go on with another one.
        n_micro: micro-batches of a step and a data parallel rank.
        zero: ZeRO stage of data parallel ranks; 0 for whole copies.
        sequence: whether tensor parallel ranks also share positions.

    Raises:
        ValueError: the run asks for what ranks do not do.
    """

    run: Run
    mesh: Mesh = field(default_factory=Mesh)
    n_micro: int = 1
    zero: Literal[0, 1, 2, 3] = 0
    sequence: bool = False

    def __post_init__(self) -> None:
        for name, only in (
            ("dtype", "float32"),
            ("compiled", False),
            ("recompute", False),
            ("n_micro", 1),
            ("evaluate", None),
            ("loss", language_loss),
        ):
            found = getattr(self.run, name)
            if found != only:
                raise ValueError(
                    f"the run's {name} is {found!r}, which ranks of a mesh "
                    f"do not do; replace it by {only!r}, give n_micro here, "
                    f"and evaluate what is exported"
                )


def work(  # noqa: PLR0913
    job: Work,
    folder: Path,
    group: dist.ProcessGroup,
    *,
    limit: float = 600.0,
    period: float = PERIOD,
    watch_every: int = 50,
) -> Iterator[Step]:
    """Train with the other ranks, and yield what each step did.

    All ranks call it alike. It goes on from the newest checkpoint, and the
    rest is the same to the bit, on the same mesh, as if it had never
    stopped. SIGTERM, SIGUSR1 or a Ctrl-C at any rank ends all of them behind
    the same step.

    Args:
        job: what is to be done.
        folder: for checkpoints, the log and signs of life; all ranks see it.
        group: all ranks.
        limit: seconds for a step with its checkpoint, after which the rank
            counts as hung and ends.
        period: seconds between two signs of life.
        watch_every: steps after which slow ranks are looked for.

    Yields:
        Of each step the same on all ranks, but for the seconds.

    Raises:
        ValueError: the folder is of another run, the ranks differ, or the
            mesh does not fit.
        Diverged: too many steps in a row were not finite.
        Interrupted: it was asked to end, and a checkpoint is written.
        Lost: another rank has gone.
    """
    rank, world, watch = group.rank(), group.size(), folder / WATCH
    with ExitStack() as stack:
        if rank == 0:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(only_writer(folder))
        beat = stack.enter_context(Heartbeat(watch, rank, period=period))
        dog = stack.enter_context(Watchdog(watch, rank, world, seconds=limit))
        own = stack.enter_context(OwnTime())
        # Until it stands there is nothing to save, and a signal ends the
        # process, also where it waits for a rank that has not come.
        with _told(watch, group, beat):
            training = _Training(job, folder, group)
        asked = stack.enter_context(requests_to_end(signal.SIGUSR1))
        stack.enter_context(_told(watch, group, beat))
        beat.step = training.step
        log = training.open_log(stack)
        bar = stack.enter_context(_progress(training, rank))
        laps: list[float] = []
        while training.step < job.run.n_steps:
            dog.moved()
            own.lap()
            step = training.take_step()
            laps.append(own.lap())
            beat.step = training.step
            bar.update()
            training.keep(step, log, asked)
            if len(laps) == watch_every:
                _tell_slow(laps, group)
                laps.clear()
            yield step


class _Training:
    """A run on ranks, and where it stands.

    Args:
        job: what is to be done.
        folder: of the run.
        group: all ranks.
    """

    def __init__(self, job: Work, folder: Path, group: dist.ProcessGroup):
        self.job, self.folder, self.group = job, folder, group
        run = job.run
        seed_everything(run.seed)
        model = Transformer(run.model).to(run.device)
        self.batches = run.batches()
        self.about = run.about() | {"data": self.batches.fingerprint}
        place = folder / CHECKPOINTS
        steps = [step for step, _ in checkpoints(place)]
        # The model is compared when it is put on the mesh.
        require_same(
            {
                **{k: json.dumps(each) for k, each in self.about.items()},
                "mesh": f"{job.mesh}, {job.n_micro}, {job.zero}",
                "steps of checkpoints": f"{steps}",
                "PyTorch": torch.__version__,
            },
            group,
        )
        self.parallel = MeshParallel(
            model,
            ProcessMesh(job.mesh, group),
            run.optimizer,
            n_micro=job.n_micro,
            zero=job.zero,
            sequence=job.sequence,
        )
        groups: Any = self.parallel.optimizer
        self._rates = [(each, each["lr"]) for each in groups.param_groups]
        self.step = 0
        if steps:
            self.step = load_on_mesh(place, self.parallel, about=self.about)
        self.tokens, self.skipped, self.in_a_row, self.seconds = self._before()

    def _before(self) -> tuple[int, int, int, float]:
        """Return the sums that the log has of the steps before this one."""
        told = torch.zeros(4, dtype=torch.float64)
        path = self.folder / LOG
        if self.group.rank() == 0 and self.step and path.exists():
            log = read_log(path)
            rows = log["step"] < self.step
            skipped = log["skipped"][rows]
            taken = np.flatnonzero(skipped == 0)
            told[0] = log["tokens"][rows].max(initial=0)
            told[1] = skipped.sum()
            told[2] = len(skipped) - 1 - taken.max(initial=-1)
            told[3] = log["seconds"][rows].max(initial=0)
        source = dist.get_global_rank(self.group, 0)
        dist.broadcast(told, source, group=self.group)
        tokens, skips, in_a_row, seconds = told.tolist()
        return int(tokens), int(skips), int(in_a_row), seconds

    def open_log(self, stack: ExitStack) -> RunLog | None:
        """Open the log on rank 0, without rows of steps to be made again."""
        if self.group.rank() != 0:
            return None
        path = self.folder / LOG
        return stack.enter_context(RunLog(path, COLUMNS, resumed_at=self.step))

    def take_step(self) -> Step:
        """Take one step with the other ranks."""
        run, start = self.job.run, perf_counter()
        n_rows = self.batches.config.batch_size
        first = self.step * n_rows
        rows = self.batches.batch(first, first + n_rows)
        batch = as_tensors(rows, run.device)
        rate = run.schedule(self.step)
        for settings, peak in self._rates:
            settings["lr"] = peak * rate
        loss = self.parallel.backward(batch)
        norm = float(self.parallel.clip(run.clip))
        mean = float(loss.total) / max(1, int(loss.count))
        finite = isfinite(mean) and isfinite(norm)
        if finite:
            self.parallel.move()
        else:
            self.parallel.drop()
        self.tokens += int(loss.count) if finite else 0
        self.skipped += not finite
        self.in_a_row = 0 if finite else self.in_a_row + 1
        if self.in_a_row > run.most_skipped:
            raise Diverged(
                f"step {self.step}: loss {mean}, norm of the gradient {norm};"
                f" {self.in_a_row} steps in a row were skipped because these "
                f"are not finite. Lower the learning rate, clip more, or look"
                f" at the rows of these steps"
            )
        self.step += 1
        self.seconds += perf_counter() - start
        return Step(
            step=self.step - 1,
            tokens=self.tokens,
            loss=mean,
            norm=norm,
            rate=rate,
            seconds=self.seconds,
            skipped=not finite,
        )

    def keep(self, step: Step, log: RunLog | None, asked: Request) -> None:
        """Write a step down, save where that is due, end where it is wanted.

        Args:
            step: that was taken.
            log: of rank 0.
            asked: of this rank; another's counts as well.

        Raises:
            Interrupted: some rank was asked to end.
        """
        run = self.job.run
        if log is not None:
            log.write(asdict(step))
        number = torch.tensor(int(asked.number))
        dist.all_reduce(number, dist.ReduceOp.MAX, group=self.group)
        done = self.step == run.n_steps
        ending = bool(number) and not done
        if done or ending or self.step % run.save_every == 0:
            if log is not None:
                log.sync()
            save_on_mesh(
                self.folder / CHECKPOINTS,
                self.parallel,
                self.step,
                keep=run.keep,
                about=self.about,
            )
        if ending:
            raise Interrupted(
                f"the run in {self.folder} was asked to end after "
                f"{self.step} steps; it can be resumed",
                int(number),
            )


@contextmanager
def _told(
    watch: Path, group: dist.ProcessGroup, beat: Heartbeat
) -> Iterator[None]:
    """Add to an error whose it is: this rank's, or that of one that left."""
    rank, world = group.rank(), group.size()
    try:
        yield
    except Exception as error:
        where = f"rank {rank} of {world}, in step {beat.step}"
        if not isinstance(error, RuntimeError) or not (
            isinstance(error, dist.DistError) or _GONE.search(str(error))
        ):
            error.add_note(f"This was {where}.")
            raise
        # A launcher ends the ranks that are left: not before they have said
        # why.
        with requests_to_end():
            all_ranks = pulses(watch, world, seconds=2.5 * beat.period)
        others = [each for each in all_ranks if each.rank != rank]
        gone = [each for each in others if each.state == "dead"] or [
            each for each in others if each.state != "alive"
        ]
        why = "; ".join(map(str, gone)) or "all ranks live; look at the links"
        raise Lost(
            f"{where}, has lost another: {why}. Start all ranks again; they "
            f"go on from the newest checkpoint"
        ) from error


def _progress(training: _Training, rank: int) -> "tqdm[Never]":
    return tqdm(
        total=training.job.run.n_steps,
        initial=training.step,
        unit="step",
        disable=True if rank else None,  # None: unless a terminal shows it
    )


def _tell_slow(laps: list[float], group: dist.ProcessGroup) -> None:
    """Say on rank 0 which ranks the others wait for."""
    if group.size() == 1:
        return
    slow = slow_ranks(gather_laps(laps, group))
    if slow and group.rank() == 0:
        tqdm.write("; ".join(map(str, slow)), file=sys.stderr)
