"""A training run that can be watched, stopped and resumed to the bit."""

from scratchlm.training.pretraining.checkpoint import (
    Checkpoint,
    checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from scratchlm.training.pretraining.interruption import Interrupted
from scratchlm.training.pretraining.log import (
    RunLog,
    Sink,
    read_log,
)
from scratchlm.training.pretraining.loop import train
from scratchlm.training.pretraining.memory import recompute_blocks
from scratchlm.training.pretraining.metrics import (
    fastest_dtype,
    flops_utilization,
    matmul_peak,
)
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    as_tensors,
    micro_batches,
)
from scratchlm.training.pretraining.precision import (
    LossScale,
    autocast,
    find_dtype,
    loss_scale,
)
from scratchlm.training.pretraining.run import Run, described, language_loss
from scratchlm.training.pretraining.sampling import sample_documents
from scratchlm.training.pretraining.sinks import (
    TensorBoardSink,
    WandbSink,
)
from scratchlm.training.pretraining.state import Training
from scratchlm.training.pretraining.step import Diverged, Step, take_step
from scratchlm.training.pretraining.tree import join, split

__all__ = [
    "Checkpoint",
    "Diverged",
    "Interrupted",
    "LossScale",
    "Run",
    "RunLog",
    "Sink",
    "Step",
    "TensorBoardSink",
    "TokenBatch",
    "Training",
    "WandbSink",
    "as_tensors",
    "autocast",
    "checkpoints",
    "described",
    "fastest_dtype",
    "find_dtype",
    "flops_utilization",
    "join",
    "language_loss",
    "load_checkpoint",
    "loss_scale",
    "matmul_peak",
    "micro_batches",
    "read_log",
    "recompute_blocks",
    "sample_documents",
    "save_checkpoint",
    "split",
    "take_step",
    "train",
]
