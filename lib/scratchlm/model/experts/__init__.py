"""Layers of which each token visits a part."""

from scratchlm.model.experts.balancing import (
    balance_loss,
    statistics,
    update_biases,
    z_loss,
)
from scratchlm.model.experts.dispatch import Capacity, Plan, dropless
from scratchlm.model.experts.experts import (
    MixtureOfExperts,
    Statistics,
    grouped_matmul,
)
from scratchlm.model.experts.kernels.fused_grouped_matmul import (
    fused_grouped_matmul,
)
from scratchlm.model.experts.routing import (
    BiasedRouter,
    Router,
    Routing,
    SoftmaxRouter,
    count_load,
)

__all__ = [
    "BiasedRouter",
    "Capacity",
    "MixtureOfExperts",
    "Plan",
    "Router",
    "Routing",
    "SoftmaxRouter",
    "Statistics",
    "balance_loss",
    "count_load",
    "dropless",
    "fused_grouped_matmul",
    "grouped_matmul",
    "statistics",
    "update_biases",
    "z_loss",
]
