"""Tokens look each other up."""

from scratchlm.model.attention.attention import (
    Attention,
    LayerCache,
    Turn,
    unturned,
)
from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
    Softcapped,
)
from scratchlm.model.attention.documents import Documents, Within, within
from scratchlm.model.attention.kernels.wide_backward import WideBackward
from scratchlm.model.attention.masks import (
    CAUSAL,
    Causal,
    Everything,
    Mask,
    Reach,
    Window,
    distances,
)
from scratchlm.model.attention.self_attention import SelfAttention

__all__ = [
    "CAUSAL",
    "Attention",
    "Causal",
    "Documents",
    "DotProduct",
    "Everything",
    "LayerCache",
    "Mask",
    "Reach",
    "ScoredAttention",
    "SelfAttention",
    "Softcapped",
    "Turn",
    "WideBackward",
    "Window",
    "Within",
    "distances",
    "unturned",
    "within",
]
