"""A run that can be stopped at any moment, and goes on as if it had not."""

from scratchlm.training.pretraining.checkpoint import (
    Checkpoint,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from scratchlm.training.pretraining.log import RunLog, Sink, read_log
from scratchlm.training.pretraining.sinks import TensorBoardSink, WandbSink
from scratchlm.training.pretraining.tree import join, split

__all__ = [
    "Checkpoint",
    "RunLog",
    "Sink",
    "TensorBoardSink",
    "WandbSink",
    "checkpoints",
    "join",
    "load_checkpoint",
    "read_log",
    "save_checkpoint",
    "split",
]
