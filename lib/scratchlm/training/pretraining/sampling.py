"""Whole documents, drawn from a model.

The plainest way that is not slow: one draw for each token, with all of the
vocabulary to draw from.
"""

from typing import Any

import torch
from torch import Tensor


class GrowingLayer:
    """Keys and values of one layer, joined to those before them."""

    def __init__(self) -> None:
        self.kept: tuple[Tensor, Tensor] | None = None

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep those of new positions; return those of all."""
        if self.kept is not None:
            k = torch.cat([self.kept[0], k], 2)
            v = torch.cat([self.kept[1], v], 2)
        self.kept = k, v
        return self.kept


class GrowingCache:
    """A :class:`GrowingLayer` for each layer of a model.

    Args:
        n_layers: of the model.
    """

    def __init__(self, n_layers: int):
        self.layers = [GrowingLayer() for _ in range(n_layers)]
        self.length = 0

    def __getitem__(self, layer: int) -> GrowingLayer:
        return self.layers[layer]


@torch.no_grad()
def sample_documents(  # noqa: PLR0913
    model: Any,
    n: int,
    *,
    end_id: int,
    most_tokens: int,
    seed: int,
    temperature: float = 1.0,
) -> list[list[int]]:
    """Draw documents as a model believes that they are.

    Each begins behind an end, as training showed it, and stops at the next
    one, or where it is too long. The model is as it is: call ``eval()``
    before, if it drops anything.

    Args:
        model: a transformer.
        n: how many; they are drawn side by side.
        end_id: the id that ends a document.
        most_tokens: of a document; one that is longer has no end.
        seed: decides the draws.
        temperature: logits are divided by it; below one, likely tokens
            become likelier than the model believes.

    Returns:
        The ids of each, without the ends.

    Raises:
        ValueError: ``n`` or ``most_tokens`` is below 1, or ``temperature``
            is not above 0.
    """
    if n < 1 or most_tokens < 1:
        raise ValueError(
            f"n is {n} and most_tokens {most_tokens}; give 1 or more of each"
        )
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; give more than 0")
    device = next(model.parameters()).device
    draws = torch.Generator(device).manual_seed(seed)
    cache = GrowingCache(len(model.blocks))
    token = torch.full((n, 1), end_id, device=device)
    written: list[Tensor] = []
    unfinished = torch.ones(n, 1, dtype=torch.bool, device=device)
    while len(written) < most_tokens and unfinished.any():
        logits = model(token, cache=cache)[:, -1].float() / temperature
        cache.length += 1
        token = torch.multinomial(logits.softmax(-1), 1, generator=draws)
        unfinished = unfinished & (token != end_id)
        written.append(token.where(unfinished, end_id))
    rows = torch.cat(written, 1).tolist()
    return [row[: [*row, end_id].index(end_id)] for row in rows]
