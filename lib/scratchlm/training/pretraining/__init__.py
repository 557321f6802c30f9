"""A run that can be stopped at any moment, and goes on as if it had not."""

from scratchlm.training.pretraining.checkpoint import (
    Checkpoint,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from scratchlm.training.pretraining.tree import join, split

__all__ = [
    "Checkpoint",
    "checkpoints",
    "join",
    "load_checkpoint",
    "save_checkpoint",
    "split",
]
