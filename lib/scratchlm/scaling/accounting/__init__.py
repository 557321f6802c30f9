"""What a training step takes: bytes, operations, traffic and time."""

from scratchlm.scaling.accounting.hardware import (
    CHIPS,
    Chip,
    Cluster,
    cluster,
)
from scratchlm.scaling.accounting.job import (
    CAST,
    FULL,
    MIXED,
    MIXED_SUMS,
    Job,
    Mesh,
    Precision,
    Uneven,
    check,
)
from scratchlm.scaling.accounting.memory import (
    Memory,
    States,
    layer_activations,
    memory,
    stage_weights,
    state_bytes,
)
from scratchlm.scaling.accounting.model_shape import (
    NAMES,
    ModelShape,
    gpt,
    named,
    shape_of,
)
from scratchlm.scaling.accounting.operations import (
    Work,
    forward,
    model_flops,
    stage_work,
)
from scratchlm.scaling.accounting.planner import Plan, plan
from scratchlm.scaling.accounting.published_run import Run
from scratchlm.scaling.accounting.published_runs import (
    ZERO_TABLE,
    Agreement,
    agreement,
    published_runs,
)
from scratchlm.scaling.accounting.roofline import (
    Reached,
    product_intensity,
    product_rate,
)
from scratchlm.scaling.accounting.search import Found, meshes, plans
from scratchlm.scaling.accounting.traffic import (
    Traffic,
    sent,
    transfer_seconds,
)

__all__ = [
    "CAST",
    "CHIPS",
    "FULL",
    "MIXED",
    "MIXED_SUMS",
    "NAMES",
    "ZERO_TABLE",
    "Agreement",
    "Chip",
    "Cluster",
    "Found",
    "Job",
    "Memory",
    "Mesh",
    "ModelShape",
    "Plan",
    "Precision",
    "Reached",
    "Run",
    "States",
    "Traffic",
    "Uneven",
    "Work",
    "agreement",
    "check",
    "cluster",
    "forward",
    "gpt",
    "layer_activations",
    "memory",
    "meshes",
    "model_flops",
    "named",
    "plan",
    "plans",
    "product_intensity",
    "product_rate",
    "published_runs",
    "sent",
    "shape_of",
    "stage_weights",
    "stage_work",
    "state_bytes",
    "transfer_seconds",
]
