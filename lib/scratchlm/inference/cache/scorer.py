"""A cache for searches, whose rows branch and are dropped."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.inference.cache.generate import BatchCache, read, step
from scratchlm.inference.cache.kv_cache import cache_for


class CachedLogits:
    """The logits of the next token of rows, most of which it has read.

    A search asks again and again about rows that are one token longer than
    those that it asked about before. Each finds its beginning among those,
    and takes over the keys and values of it. Where one has none, all rows
    are read anew.

    Args:
        model: a transformer in eval mode.
        new_cache: called with the model: makes an empty cache.
    """

    def __init__(
        self,
        model: nn.Module,
        new_cache: Callable[[Any], BatchCache] = cache_for,
    ):
        self.model, self.new_cache = model, new_cache
        self.read: dict[tuple[int, ...], int] = {}
        self.cache: BatchCache | None = None

    def __call__(self, rows: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        """Return the logits of the token behind each row.

        Args:
            rows: tokens, of one length.

        Raises:
            ValueError: the rows are empty.
        """
        now = [tuple(row) for row in rows.tolist()]
        before = [self.read.get(row[:-1]) for row in now]
        self.read = {row: i for i, row in enumerate(now)}
        if self.cache is None or None in before:
            self.cache = self.new_cache(self.model)
            return read(self.model, rows.tolist(), self.cache)
        self.cache.keep(torch.tensor(before, device=rows.device))
        return step(self.model, rows[:, -1:], self.cache)
