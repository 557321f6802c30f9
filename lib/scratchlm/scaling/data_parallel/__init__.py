"""Ranks that hold the same model and read different rows."""

from scratchlm.scaling.data_parallel.after_backward import (
    sum_each,
    sum_flat,
)
from scratchlm.scaling.data_parallel.agreement import (
    broadcast_buffers,
    broadcast_model,
    fingerprint,
    require_distinct,
    require_same,
)
from scratchlm.scaling.data_parallel.buckets import Bucket, plan_buckets
from scratchlm.scaling.data_parallel.data_parallel import (
    DataParallel,
    Pending,
    start_sum,
)
from scratchlm.scaling.data_parallel.global_loss import (
    rank_rows,
    sum_gradients,
    sum_over_ranks,
)
from scratchlm.scaling.data_parallel.global_norm import global_norm
from scratchlm.scaling.data_parallel.noise import (
    SquaredLength,
    noise_between_ranks,
    noise_from_lengths,
)

__all__ = [
    "Bucket",
    "DataParallel",
    "Pending",
    "SquaredLength",
    "broadcast_buffers",
    "broadcast_model",
    "fingerprint",
    "global_norm",
    "noise_between_ranks",
    "noise_from_lengths",
    "plan_buckets",
    "rank_rows",
    "require_distinct",
    "require_same",
    "start_sum",
    "sum_each",
    "sum_flat",
    "sum_gradients",
    "sum_over_ranks",
]
