"""Short training runs on tokens of TinyWorld, for the grids of claims."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.experts import balance_loss
from scratchlm.text.tinyworld import TinyWorld
from scratchlm.text.tokenizer import BPETokenizer

VOCABULARY = 512
Draw = Callable[[], tuple[Tensor, Tensor]]
Found = dict[str, float]
Run = Callable[[float, int], float]
Each = Callable[[Callable[[Any], Any], list[Any]], Iterable[Any]]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of each grid is run."""

    n_bytes: int = 1_500_000
    steps: int = 160
    deep_steps: int = 120
    late_steps: int = 100
    far_steps: int = 300
    seeds: int = 3
    rates: tuple[float, ...] = (8e-3, 1.6e-2, 3.2e-2)
    deep_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    depths: tuple[int, ...] = (2, 6, 24)
    topics: int | None = None


SMALL = Size(
    n_bytes=60_000,
    steps=2,
    deep_steps=2,
    late_steps=2,
    far_steps=2,
    seeds=1,
    rates=(4e-3,),
    deep_rates=(1e-3,),
    depths=(2,),
    topics=20,
)


@cache
def corpus(n_bytes: int) -> tuple[Tensor, Tensor]:
    """Tokens to train on, and a twentieth held out."""
    texts = list(TinyWorld(seed=0).texts(n_bytes, seed=1))
    tok = BPETokenizer.train(texts[:300], VOCABULARY)
    ids = torch.tensor([i for text in texts for i in tok.encode(text)])
    cut = len(ids) * 19 // 20
    return ids[:cut], ids[cut:]


def draw(ids: Tensor, n_rows: int, n_tokens: int, seed: int) -> Draw:
    """A function that draws rows and what follows each token."""
    generator = torch.Generator().manual_seed(seed)

    def batch() -> tuple[Tensor, Tensor]:
        start = torch.randint(
            len(ids) - n_tokens, (n_rows, 1), generator=generator
        )
        rows = ids[start + torch.arange(n_tokens + 1)]
        return rows[:, :-1], rows[:, 1:]

    return batch


def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    tokens, targets = batch
    return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())


def train(
    model: nn.Module,
    batch: Draw,
    rates: Iterator[float],
    factor: float = 0.0,
    after: Callable[[nn.Module], None] = lambda model: None,
) -> list[float]:
    """Take one step of AdamW at each rate; return the losses."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    losses = []
    for rate in rates:
        optimizer.param_groups[0]["lr"] = rate
        loss = loss_of(model, batch())
        losses.append(loss.detach())
        if factor:
            loss = loss + factor * balance_loss(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after(model)
    return torch.stack(losses).tolist()


def up_and_down(peak: float, steps: int) -> Iterator[float]:
    for step in range(steps):
        yield peak * min(1, (step + 1) / 20, 1.1 - step / steps)


def up_and_level(peak: float, steps: int, warm_up: int) -> Iterator[float]:
    for step in range(steps):
        yield peak * min(1, (step + 1) / max(1, warm_up))
