"""Which rank holds which positions of a row, and which keys they see."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from sys import maxsize

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from scratchlm.model.attention.masks import Reach

# Of each rank, the runs of positions that it holds, in its own order.
Chunks = tuple[range, ...]
# Called with T and W.
Layout = Callable[[int, int], list[Chunks]]

CAUSAL_REACH = Reach(maxsize, 0)


def contiguous(n_tokens: int, size: int) -> list[Chunks]:
    """Give each rank one piece of the row, in order.

    Args:
        n_tokens: T, of the row.
        size: W, the number of ranks.

    Raises:
        ValueError: W does not divide T.
    """
    each = _shared(n_tokens, size, 1)
    return [(range(r * each, (r + 1) * each),) for r in range(size)]


def zigzag(n_tokens: int, size: int) -> list[Chunks]:
    """Give each rank an early piece of the row and a late one.

    ::

        chunk  0  1  2  3  4  5  6  7
        rank   0  1  2  3  3  2  1  0

    Early positions see few keys and late ones many, so that all ranks have
    equally much to do, in each step of a ring.

    Args:
        n_tokens: T, of the row.
        size: W, the number of ranks.

    Raises:
        ValueError: 2 W does not divide T.

    Source: Llama Team 2024, "The Llama 3 Herd of Models", section 3.3.2.
    """
    each = _shared(n_tokens, size, 2)
    pairs = [(r, 2 * size - 1 - r) for r in range(size)]
    return [
        tuple(range(i * each, (i + 1) * each) for i in pair) for pair in pairs
    ]


def positions_of(chunks: Chunks) -> Int[Tensor, " T"]:
    """Return the positions of some chunks, one after another."""
    return torch.tensor([t for chunk in chunks for t in chunk])


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Which keys a query sees, wherever in the row both stand.

    Args:
        reach: how far a query sees.
        starts: where the document of each position of the whole row begins;
            None if each row is one document.
    """

    reach: Reach = CAUSAL_REACH
    starts: Int[Tensor, "B S"] | None = None

    def sees(self, queries: range, keys: range) -> bool:
        """Return whether any of the queries sees any of the keys."""
        nearest, farthest = _distances(queries, keys)
        return -farthest <= self.reach.ahead and nearest <= self.reach.behind

    def hidden(
        self, queries: range, keys: range, device: torch.device
    ) -> Bool[Tensor, "*B T S"] | None:
        """Return True where a key is out of sight; None if none is.

        Args:
            queries: positions.
            keys: positions.
            device: where the result lies.
        """
        nearest, farthest = _distances(queries, keys)
        out = None
        if -nearest > self.reach.ahead or farthest > self.reach.behind:
            back = torch.arange(queries.start, queries.stop, device=device)
            back = back[:, None] - torch.arange(
                keys.start, keys.stop, device=device
            )
            out = (back > self.reach.behind) | (-back > self.reach.ahead)
        if self.starts is None:
            return out
        others = (
            self.starts[:, queries.start : queries.stop, None]
            != self.starts[:, None, keys.start : keys.stop]
        )
        return others if out is None else others | out


def visible_pairs(
    layout: Layout, n_tokens: int, size: int, reach: Reach = CAUSAL_REACH
) -> list[int]:
    """Return how many pairs of a query and a key fall to each rank.

    Args:
        layout: who holds which positions.
        n_tokens: T, of the row.
        size: W, the number of ranks.
        reach: how far a query sees.
    """
    return [
        sum(
            min(t, reach.behind) + 1 + min(n_tokens - 1 - t, reach.ahead)
            for chunk in chunks
            for t in chunk
        )
        for chunks in layout(n_tokens, size)
    ]


def step_scores(
    layout: Layout, n_tokens: int, size: int, reach: Reach = CAUSAL_REACH
) -> list[list[int]]:
    """Return the scores that each rank computes in each step of a ring.

    A pair of chunks is computed whole if one of its keys is seen.

    Args:
        layout: who holds which positions.
        n_tokens: T, of the row.
        size: W, the number of ranks.
        reach: how far a query sees.

    Returns:
        For each step the counts of all ranks.
    """
    chunks, sight = layout(n_tokens, size), Sight(reach=reach)
    return [
        [
            sum(
                len(queries) * len(keys)
                for queries, keys in product(
                    chunks[rank], chunks[(rank - step) % size]
                )
                if sight.sees(queries, keys)
            )
            for rank in range(size)
        ]
        for step in range(size)
    ]


def _distances(queries: range, keys: range) -> tuple[int, int]:
    """How far behind a query the nearest and the farthest key stand."""
    return queries[0] - keys[-1], queries[-1] - keys[0]


def _shared(n_tokens: int, size: int, n_chunks: int) -> int:
    parts = n_chunks * size
    if n_tokens < 1 or n_tokens % parts:
        padded = max(1, -(-n_tokens // parts)) * parts
        raise ValueError(
            f"{n_tokens} positions do not fall into {parts} equal chunks, "
            f"{n_chunks} for each of {size} ranks; pad the rows to {padded} "
            f"with targets that do not count"
        )
    return n_tokens // parts
