"""Keys and values that are kept, and text that is written with them."""

from scratchlm.inference.cache.generate import (
    BatchCache,
    complete,
    generate,
    read,
    step,
)
from scratchlm.inference.cache.kernels.compiled_decoder import CompiledDecoder
from scratchlm.inference.cache.kernels.single_query import SingleQuery
from scratchlm.inference.cache.kv_cache import (
    Admitted,
    KVCache,
    Where,
    cache_for,
    window_of,
)
from scratchlm.inference.cache.layers import (
    ContiguousLayer,
    KeptLayer,
    RollingLayer,
)
from scratchlm.inference.cache.roofline import (
    StepCost,
    read_bandwidth,
    step_cost,
)
from scratchlm.inference.cache.scorer import CachedLogits
from scratchlm.inference.cache.sinks import SinkCache
from scratchlm.inference.cache.static import StaticCache

__all__ = [
    "Admitted",
    "BatchCache",
    "CachedLogits",
    "CompiledDecoder",
    "ContiguousLayer",
    "KVCache",
    "KeptLayer",
    "RollingLayer",
    "SingleQuery",
    "SinkCache",
    "StaticCache",
    "StepCost",
    "Where",
    "cache_for",
    "complete",
    "generate",
    "read",
    "read_bandwidth",
    "step",
    "step_cost",
    "window_of",
]
