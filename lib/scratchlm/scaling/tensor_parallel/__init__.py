"""Layers that several ranks compute together."""

from scratchlm.scaling.tensor_parallel.plan import (
    PLAN,
    SEQUENCE_PLAN,
    Cut,
    Plan,
)
from scratchlm.scaling.tensor_parallel.tensor_parallel import (
    PartialLinear,
    TensorParallel,
)
from scratchlm.scaling.tensor_parallel.vocabulary import (
    VocabularyShard,
    loss_of_shards,
    vocabulary_parallel_sum,
)

__all__ = [
    "PLAN",
    "SEQUENCE_PLAN",
    "Cut",
    "PartialLinear",
    "Plan",
    "TensorParallel",
    "VocabularyShard",
    "loss_of_shards",
    "vocabulary_parallel_sum",
]
