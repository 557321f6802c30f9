"""Order in the queries, the keys and the scores."""

from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.positions.context_extension import (
    Llama3Scaling,
    NTKAware,
    PositionInterpolation,
    YaRN,
)
from scratchlm.model.positions.kernels.fused_rotary import FusedRotary
from scratchlm.model.positions.rotary import NoRotation, Rotary, Rotation

__all__ = [
    "ALiBi",
    "FusedRotary",
    "Llama3Scaling",
    "NTKAware",
    "NoRotation",
    "PositionInterpolation",
    "Rotary",
    "Rotation",
    "YaRN",
]
