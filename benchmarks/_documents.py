"""Documents that a model writes, with what each cost it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scratchlm.inference.sampling import (
    Greedy,
    History,
    Sample,
    Stop,
    process,
)
from scratchlm.training.pretraining.sampling import GrowingCache


@dataclass(kw_only=True)
class Written:
    """What one row has written.

    Args:
        tokens: the one that stops among them.
        log_prob: under the model, in nats.
        drawn_log_prob: under what the processors left of it.
    """

    tokens: list[int] = field(default_factory=list)
    log_prob: float = 0.0
    drawn_log_prob: float = 0.0


@torch.no_grad()
def write(
    model: Any,
    prompts: Sequence[Sequence[int]],
    choose: Sample | Greedy,
    *,
    stop: Stop,
    most: int,
) -> list[Written]:
    """Continue prompts of one length, each until it stops or is too long."""
    history = History(prompts)
    cache = GrowingCache(len(model.blocks))
    rows = [Written() for _ in prompts]
    tokens = torch.tensor(prompts)
    for _ in range(most):
        logits = model(tokens, cache=cache)[:, -1]
        cache.length += tokens.shape[1]
        left = process(choose.processors, logits, history)
        chosen = choose(logits, history)
        own, drawn = (log_probs(each, chosen) for each in (logits, left))
        history.append(chosen.tolist())
        for i, row in enumerate(history.rows):
            rows[row].tokens.append(int(chosen[i]))
            rows[row].log_prob += own[i]
            rows[row].drawn_log_prob += drawn[i]
        live = [i for i, w in enumerate(history.written) if not stop(w)]
        if not live:
            break
        keep(history, cache, live)
        tokens = torch.tensor([[w[-1]] for w in history.written])
    return rows


def log_probs(logits: Float[Tensor, "B V"], chosen: Tensor) -> list[float]:
    every = logits.double().log_softmax(-1)
    found: list[float] = every.gather(1, chosen[:, None])[:, 0].tolist()
    return found


def keep(history: History, cache: GrowingCache, live: list[int]) -> None:
    """Drop the rows that have stopped."""
    if len(live) == len(history):
        return
    history.keep(live)
    for layer in cache.layers:
        assert layer.kept is not None
        k, v = layer.kept
        layer.kept = k[live], v[live]
