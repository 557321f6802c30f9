"""The grid behind the comparison of optimizers, on one thread.

    python benchmarks/training_claims.py            # a few minutes
    python benchmarks/training_claims.py --record   # and keeps it for the book
    python benchmarks/training_claims.py --small    # a few steps of each

Each optimizer gets a rate of its own from a grid that is as fine for all. Then
it runs twice with three seeds: for as many steps as the others, and for as
many seconds as AdamW needs for them. Losses are nats a byte, on held-out text.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from statistics import fmean, stdev

import torch
from _output import Output, add_option
from _recording import keep
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from scratchlm.book.timing import cpu_seconds
from scratchlm.model.block import initialize
from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer
from scratchlm.text.tinyworld import TinyWorld
from scratchlm.training.optimizers import (
    SGD,
    Cosine,
    adamw,
    clip_gradients,
    muon_and_adamw,
)

T = 64  # bytes of a row
# A run is short: weights of 0.02 would hardly leave their beginning.
SETTINGS = replace(
    tiny(64, vocab_size=256),
    init=partial(initialize, std=0.1),
    n_heads=4,
    n_kv_heads=2,
    d_head=16,
    max_tokens=T,
)
Make = Callable[[nn.Module, float], torch.optim.Optimizer]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of the grid is run."""

    n_bytes: int = 1_000_000
    steps: int = 400
    n_rows: int = 16
    seeds: int = 3
    n_rates: int = 4
    rounds: int = 40


SMALL = Size(n_bytes=60_000, steps=4, n_rows=2, seeds=2, n_rates=1, rounds=1)


def sgd(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return SGD(model.parameters(), rate, momentum=0.9)


def our_adamw(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return adamw(model, lr=rate)


def muon(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return muon_and_adamw(model, lr=rate, weight_decay=0.1)


# Each rate is half a power of ten from the next.
OPTIMIZERS: dict[str, tuple[Make, list[float]]] = {
    "AdamW": (our_adamw, [3e-3, 1e-3, 1e-2, 3e-2]),
    "SGD": (sgd, [3e-1, 1e-1, 3e-2, 1.0]),
    "Muon": (muon, [3e-2, 1e-2, 1e-1, 3e-3]),
}


class Corpus:
    """Bytes of a world to train on, and rows of it that are held out."""

    def __init__(self, n_bytes: int):
        text = "\n\n".join(TinyWorld(seed=0).texts(n_bytes, seed=1))
        data = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
        cut = len(data) * 19 // 20
        self.train, rest = data[:cut].long(), data[cut:].long()
        self.held_out = rest[: len(rest) // (T + 1) * (T + 1)].view(-1, T + 1)

    def rows(self, n: int, generator: torch.Generator) -> Tensor:
        last = len(self.train) - T - 1
        starts = torch.randint(last, (n, 1), generator=generator)
        return self.train[starts + torch.arange(T + 1)]


def loss_of(model: nn.Module, rows: Tensor) -> Tensor:
    logits = model(rows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def step_seconds(corpus: Corpus, size: Size) -> dict[str, float]:
    """Processor time of a step with each optimizer; the steps take turns."""
    generator = torch.Generator().manual_seed(0)
    calls = {}
    for name, (make, rates) in OPTIMIZERS.items():
        model = Transformer(SETTINGS)
        optimizer = make(model, rates[0] / 100)
        rows = corpus.rows(size.n_rows, generator)
        calls[name] = partial(take_step, model, optimizer, rows)
    return cpu_seconds(calls, rounds=size.rounds)


def take_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, rows: Tensor
) -> None:
    optimizer.zero_grad()
    loss_of(model, rows).backward()
    clip_gradients(model.parameters(), 1.0)
    optimizer.step()


def run(
    make: Make, rate: float, corpus: Corpus, size: Size, seed: int
) -> float:
    """The held-out loss of one run."""
    torch.manual_seed(seed)
    model = Transformer(SETTINGS)
    optimizer = make(model, rate)
    peaks = [group["lr"] for group in optimizer.param_groups]
    schedule = Cosine(warmup=min(20, size.steps // 2), n_steps=size.steps)
    generator = torch.Generator().manual_seed(seed)
    for step in range(size.steps):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * schedule(step)
        take_step(model, optimizer, corpus.rows(size.n_rows, generator))
    with torch.no_grad():
        parts = corpus.held_out.split(64)
        losses = [loss_of(model, rows).item() * len(rows) for rows in parts]
    return sum(losses) / len(corpus.held_out)


def compare(size: Size) -> tuple[dict[str, float], dict[str, float]]:
    """Losses, and seconds of a step."""
    corpus = Corpus(size.n_bytes)
    seconds = step_seconds(corpus, size)
    losses, best = {}, {}
    n_runs = len(OPTIMIZERS) * (size.n_rates + 2 * size.seeds)
    with tqdm(total=n_runs, unit="run", disable=None) as bar:
        for name, (make, rates) in OPTIMIZERS.items():
            tried = {}
            for rate in rates[: size.n_rates]:
                loss = run(make, rate, corpus, size, seed=0)
                bar.update()
                if isfinite(loss):
                    tried[rate] = losses[f"{name} rate {rate:g}"] = loss
            best[name] = min(tried, key=lambda rate: tried[rate])
        for name, (make, _) in OPTIMIZERS.items():
            allowed = size.steps * seconds["AdamW"] / seconds[name]
            for budget, steps in (("steps", size.steps), ("time", allowed)):
                fitted = replace(size, steps=round(steps))
                runs = []
                for seed in range(1, size.seeds + 1):
                    runs.append(run(make, best[name], corpus, fitted, seed))
                    bar.update()
                losses[f"{name} equal {budget}"] = fmean(runs)
                losses[f"{name} equal {budget} deviation"] = stdev(runs)
    losses |= {f"{name} best rate": rate for name, rate in best.items()}
    return losses, seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--small", action="store_true")
    add_option(parser)
    args = parser.parse_args()
    if args.record and args.small:
        parser.error("--record needs the whole grid, without --small")
    torch.set_num_threads(1)
    output = Output(as_json=args.json)
    losses, seconds = compare(SMALL if args.small else Size())
    output.heading("loss", "nats a byte")
    for what, value in losses.items():
        output.row(what, f"{value:.4g}")
    output.heading("a step of", "ms")
    for name, spent in seconds.items():
        output.row(name, f"{spent * 1e3:.2f}")
    for name in OPTIMIZERS:
        for budget in ("steps", "time"):
            ours = losses[f"{name} equal {budget}"]
            ratio = losses[f"AdamW equal {budget}"] / ours
            what = f"loss of {name} at equal {budget}"
            output.figure(what, ratio, against="AdamW")
    if args.record:
        output.line(str(keep("optimizers-loss", losses, "nats a byte; rates")))
        output.line(str(keep("optimizers-seconds", seconds, "s a step")))


if __name__ == "__main__":
    main()
