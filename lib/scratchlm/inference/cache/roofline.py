"""How fast a step of decoding can be at best."""

from time import perf_counter
from typing import NamedTuple

import torch

from scratchlm.model.published.accounting import kv_cache_bytes
from scratchlm.model.published.part_costs import cost, keys_kept
from scratchlm.model.transformer.transformer import TransformerConfig

_SECONDS = 0.2  # of measuring; enough for some hundred readings


class StepCost(NamedTuple):
    """What one token more in each row of a batch takes.

    Args:
        n_bytes: of weights and cache that are read.
        flops: multiplications and additions.
    """

    n_bytes: float
    flops: float

    @property
    def intensity(self) -> float:
        """Operations for each byte that is read."""
        return self.flops / self.n_bytes

    def seconds(self, bandwidth: float, peak: float) -> float:
        """Return the least time of the step: it reads, and it computes.

        Args:
            bandwidth: of memory, in bytes a second.
            peak: of the processor, in operations a second.

        Source: Williams, Waterman and Patterson 2009, "Roofline".
        """
        return max(self.n_bytes / bandwidth, self.flops / peak)


def step_cost(
    config: TransformerConfig, n_rows: int, n_keys: int, dtype: torch.dtype
) -> StepCost:
    """Return what a step of decoding reads and computes.

    All rows read the same weights, and each its own cache. Of experts, those
    count that one row goes to, so for several rows the bytes are the least
    that they may be.

    Args:
        config: of the model.
        n_rows: B, rows that get a token each.
        n_keys: S, positions in the cache of each.
        dtype: of weights and cache.

    Raises:
        ValueError: there is no formula for a part.
    """
    head = cost(config.head, config)
    multiplied, added, pairs = head.multiplied, head.added, 0
    for layer in range(config.n_layers):
        core = config.part("core", layer)
        for name in ("attention", "feedforward"):
            part = cost(config.part(name, layer), config)
            multiplied += part.multiplied
            added += part.added
            pairs += part.pair * keys_kept(core, n_keys)
    weights = dtype.itemsize * (multiplied + added)
    kept = kv_cache_bytes(config, n_keys, dtype)
    return StepCost(
        n_bytes=float(weights + n_rows * kept),
        flops=float(2 * n_rows * (multiplied + pairs)),
    )


def read_bandwidth(n_bytes: int, device: torch.device | str = "cpu") -> float:
    """Measure how fast memory is read, in bytes a second.

    Args:
        n_bytes: that are read again and again. So many as a step reads: a
            processor keeps a small model in its caches, which are faster
            than its memory.
        device: that reads, with the threads that PyTorch has now.

    Raises:
        ValueError: ``n_bytes`` is below 4, one number.
    """
    if n_bytes < 4:
        raise ValueError(f"n_bytes is {n_bytes}; give 4 or more")
    numbers = torch.ones(n_bytes // 4, device=device)
    best, end = float("inf"), perf_counter() + _SECONDS
    while perf_counter() < end or best == float("inf"):
        start = perf_counter()
        numbers.sum().item()  # waits for the device
        best = min(best, perf_counter() - start)
    return numbers.nbytes / best
