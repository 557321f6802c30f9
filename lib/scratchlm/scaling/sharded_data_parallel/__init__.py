"""Data parallelism in which no rank holds all of the model's state."""

from scratchlm.scaling.sharded_data_parallel.exchange import (
    ScatteredSum,
    start_gather,
)
from scratchlm.scaling.sharded_data_parallel.sharded_data_parallel import (
    ShardedDataParallel,
)
from scratchlm.scaling.sharded_data_parallel.units import Unit, plan_units

__all__ = [
    "ScatteredSum",
    "ShardedDataParallel",
    "Unit",
    "plan_units",
    "start_gather",
]
