"""Positions and experts on several ranks."""

from scratchlm.scaling.context_and_expert_parallel.context_parallel import (
    ContextParallel,
    Share,
)
from scratchlm.scaling.context_and_expert_parallel.expert_parallel import (
    ExpertParallel,
    Visit,
)
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    Layout,
    Sight,
    contiguous,
    positions_of,
    step_scores,
    visible_pairs,
    zigzag,
)
from scratchlm.scaling.context_and_expert_parallel.partial_attention import (
    Partial,
    attend,
    differentiate,
    merge,
)
from scratchlm.scaling.context_and_expert_parallel.ring_attention import (
    RingAttention,
)
from scratchlm.scaling.context_and_expert_parallel.traffic import (
    AttentionShape,
    dispatch_bytes,
    ring_bytes,
    ulysses_bytes,
)
from scratchlm.scaling.context_and_expert_parallel.ulysses import Ulysses

__all__ = [
    "AttentionShape",
    "ContextParallel",
    "ExpertParallel",
    "Layout",
    "Partial",
    "RingAttention",
    "Share",
    "Sight",
    "Ulysses",
    "Visit",
    "attend",
    "contiguous",
    "differentiate",
    "dispatch_bytes",
    "merge",
    "positions_of",
    "ring_bytes",
    "step_scores",
    "ulysses_bytes",
    "visible_pairs",
    "zigzag",
]
