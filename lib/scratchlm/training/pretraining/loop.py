"""The training loop."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

from scratchlm.foundation.durable import only_writer
from scratchlm.training.pretraining.checkpoint import (
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from scratchlm.training.pretraining.interruption import (
    Interrupted,
    Request,
    requests_to_end,
)
from scratchlm.training.pretraining.log import RunLog, Sink
from scratchlm.training.pretraining.run import Run
from scratchlm.training.pretraining.state import Training
from scratchlm.training.pretraining.step import Diverged, Step, take_step

LOG = "log.csv"
CHECKPOINTS = "checkpoints"
COLUMNS = tuple(Step.__dataclass_fields__)


def train(
    run: Run,
    folder: Path | None = None,
    *,
    training: Training | None = None,
    request: Request | None = None,
    sinks: tuple[Sink, ...] = (),
) -> Iterator[Step]:
    """Train step by step, and yield what each one did.

    With a folder, the run goes on from its newest checkpoint, and the rest
    is the same to the bit as if it had never stopped.

    Args:
        run: what is to be done.
        folder: for checkpoints and ``log.csv``; None keeps nothing.
        training: where the run stands, to look into it on the way; made of
            the run if None.
        request: asks the run to end. If None, a Ctrl-C or SIGTERM during a
            step does.
        sinks: where each row of the log goes too.

    Raises:
        ValueError: the folder is of another run, or memory ran out.
        Diverged: too many steps in a row were not finite.
        Interrupted: it was asked to end, and a checkpoint is written.
    """
    training = training or Training(run)
    if folder is None:
        while training.step < run.n_steps:
            step = take_step(training, Request())
            assert step is not None  # nobody asked
            yield step
        return
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        resume(training, folder)
        with RunLog(
            folder / LOG, COLUMNS, resumed_at=training.step, sinks=sinks
        ) as log:
            while training.step < run.n_steps:
                yield kept_step(training, folder, log, request)


def kept_step(
    training: Training, folder: Path, log: RunLog, request: Request | None
) -> Step:
    """Take a step, write it down, and save a checkpoint where one is due.

    Args:
        training: is advanced.
        folder: for checkpoints.
        log: takes the step as a row.
        request: asks the run to end; signals do if None.

    Raises:
        Interrupted: it was asked to end, and a checkpoint is written.
        Diverged: too many steps in a row were not finite.
    """
    with _asked(request) as asked:
        try:
            step = take_step(training, asked)
        except Diverged as error:
            raise Diverged(f"{error}. {_last_good(folder)}") from None
        if step is not None:
            log.write(asdict(step))
        done = training.step == training.run.n_steps
        # Looked at once: a signal may come between two looks.
        ending = bool(asked) and not done
        if done or ending or training.step % training.run.save_every == 0:
            log.sync()
            save(training, folder)
        if ending:
            raise Interrupted(
                f"the run in {folder} was asked to end after "
                f"{training.step} steps; it can be resumed",
                asked.number,
            )
    assert step is not None  # else the run is ending
    return step


def _asked(request: Request | None) -> AbstractContextManager[Request]:
    return requests_to_end() if request is None else nullcontext(request)


def _last_good(folder: Path) -> str:
    kept = checkpoints(folder / CHECKPOINTS)
    if not kept:
        return "There is no checkpoint yet"
    return f"The last good checkpoint is {kept[-1][1]}"


def save(training: Training, folder: Path) -> Path:
    """Write a checkpoint of where a run stands.

    Args:
        training: as it is, in the middle of a step too.
        folder: of the run.

    Returns:
        The checkpoint's folder.
    """
    return save_checkpoint(
        folder / CHECKPOINTS,
        training.step,
        training.state_dict(),
        keep=training.run.keep,
        about=training.about(),
    )


def resume(training: Training, folder: Path) -> None:
    """Go on from the newest checkpoint, if there is one.

    Args:
        training: of the same run; is changed.
        folder: of the run.

    Raises:
        ValueError: the checkpoints are of another run, or none is whole.
    """
    place = folder / CHECKPOINTS
    if checkpoints(place):
        kept = load_checkpoint(place, about=training.about())
        training.load_state_dict(kept.state)
