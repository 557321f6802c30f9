"""Services that draw a run while it runs, each of them optional."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scratchlm.foundation.extras import import_failure
from scratchlm.training.pretraining.log import Number

_ELSE = "read log.csv, which is written without it"


class TensorBoardSink:
    """Write a run's values where TensorBoard looks for them.

    Args:
        folder: to which TensorBoard is pointed; made if it is missing.
        resumed_at: in a run that goes on, the step that comes next: what was
            written of it and of later ones is not shown any more.

    Raises:
        ValueError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, *, resumed_at: int | None = None):
        try:
            from torch.utils.tensorboard import (  # noqa: PLC0415
                SummaryWriter,
            )
        except ImportError as error:
            need = "a log for TensorBoard needs tensorboard"
            raise ValueError(
                import_failure(need, "tensorboard", error, _ELSE)
            ) from error
        self.writer: Any = SummaryWriter(str(folder), purge_step=resumed_at)

    def __call__(self, step: int, values: Mapping[str, Number]) -> None:
        """Write the values of a step."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what waits, and end."""
        self.writer.close()


class WandbSink:
    """Send a run's values to Weights & Biases.

    Whether it sends them at once, or keeps them on this machine, and as
    whom, is wandb's own setting (``wandb offline``, ``wandb login``).

    Args:
        project: to which the run belongs.
        name: of the run.
        folder: for wandb's own files, which must exist.
        about: what identifies the run, shown beside its curves.
        run: an identifier of 64 characters or fewer. A run that goes on has
            the one that it began with; steps that it makes again are not
            sent, since wandb has them already.

    Raises:
        ValueError: wandb is not installed.
    """

    def __init__(
        self,
        project: str,
        name: str | None = None,
        *,
        folder: Path | None = None,
        about: Mapping[str, Any] | None = None,
        run: str | None = None,
    ):
        try:
            import wandb  # noqa: PLC0415
        except ImportError as error:
            need = "a log at Weights & Biases needs wandb"
            raise ValueError(
                import_failure(need, "wandb", error, _ELSE)
            ) from error
        self.run: Any = wandb.init(
            project=project,
            name=name,
            dir=None if folder is None else str(folder),
            config=None if about is None else dict(about),
            id=run,
            resume=None if run is None else "allow",
        )

    def __call__(self, step: int, values: Mapping[str, Number]) -> None:
        """Send the values of a step."""
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        """Send what waits, and end."""
        self.run.finish()
