"""The runs behind the laws of scaling, on one thread.

    python benchmarks/training_scaling.py            # half an hour
    python benchmarks/training_scaling.py --record   # and keeps them
    python benchmarks/training_scaling.py --small    # a few steps of each
    python benchmarks/training_scaling.py grid       # one part: grid, rates
                                                     # or seeds

All documents are fresh. The grid has models of several sizes, each ended at
several budgets; runs of one size share their plateau. The rates are those of
AdamW at three widths, in two parametrizations. The seeds are of one small
run, with two rates of the tables. Losses are nats a token, held out.
"""

import argparse
from dataclasses import dataclass, replace
from functools import partial

import torch
from _output import Output, add_option
from _recording import keep
from _scaling_runs import (
    N_ROWS,
    Corpus,
    Training,
    config,
    ending,
    endpoints,
    judge,
    size_of,
)
from tqdm import tqdm

from scratchlm.model.transformer import Transformer
from scratchlm.training.optimizers import adamw, muon_and_adamw
from scratchlm.training.scaling_laws import mup_adamw, mup_initialize

BASE = 32  # width at which the two parametrizations are one
Found = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is run."""

    shapes: tuple[tuple[int, int], ...] = (
        (16, 2),
        (32, 2),
        (48, 2),
        (64, 3),
        (96, 3),
        (128, 4),
    )
    budgets: tuple[float, ...] = (2.5e11, 5e11, 1e12, 2e12, 4e12)
    fewest: float = 9e4
    most: float = 6.2e6
    n_held_out: int = 1500
    widths: tuple[int, ...] = (32, 64, 128)
    rates: tuple[float, ...] = (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2)
    rate_steps: int = 120
    seeds: int = 6
    seed_steps: int = 600


SMALL = Size(
    shapes=((16, 2), (32, 2)),
    budgets=(1e10, 2e10),
    fewest=1e4,
    most=1e5,
    n_held_out=40,
    widths=(32, 64),
    rates=(1e-2,),
    rate_steps=30,
    seeds=2,
    seed_steps=30,
)


def muon(model: Transformer, table_lr: float = 0.03) -> torch.optim.Optimizer:
    # Muon's steps have a size that does not depend on the width.
    return muon_and_adamw(
        model, lr=0.02, table_lr=table_lr, vector_lr=table_lr
    )


def grid(corpus: Corpus, size: Size) -> Found:
    """The runs of all sizes: how large, how many tokens, what loss."""
    found = {"floor": corpus.floor}
    per_step = corpus.rows.shards.n_tokens / len(corpus.rows) * N_ROWS
    for d_model, n_layers in tqdm(size.shapes, unit="size", disable=None):
        training = Training(config(d_model, n_layers), muon, corpus.batches())
        n = size_of(training.model)
        horizons = [flops / 6 / n for flops in size.budgets]
        ends = [
            round(tokens / per_step)
            for tokens in horizons
            if size.fewest <= tokens <= size.most
        ]
        name = f"width {d_model}"
        found[f"{name} layers"] = n_layers
        found[f"{name} size"] = n
        found[f"{name} head"] = training.model.head.weight.numel()
        runs = endpoints(training, ends, corpus.held_out)
        for k, (tokens, loss) in enumerate(runs):
            found[f"{name} run {k} tokens"] = tokens
            found[f"{name} run {k} loss"] = loss
    return found


def standard(model: Transformer, lr: float) -> torch.optim.Optimizer:
    return adamw(model, lr=lr, weight_decay=0.0)


def transfer(corpus: Corpus, size: Size) -> Found:
    """The loss of each width at each rate, in both parametrizations."""
    found = {}
    schedule = ending(size.rate_steps)
    for d_model in tqdm(size.widths, unit="width", disable=None):
        plain = config(d_model, 2)
        first = partial(mup_initialize, base=BASE, std=0.05)
        kinds = {
            "standard": (plain, standard),
            "muP": (replace(plain, init=first), partial(mup_adamw, base=BASE)),
        }
        for name, (shape, make) in kinds.items():
            for rate in size.rates:
                if name == "muP" and d_model == BASE:
                    continue  # the same run
                training = Training(
                    shape, partial(make, lr=rate), corpus.batches()
                )
                training.advance(size.rate_steps, schedule)
                loss = judge(training.model, corpus.held_out, 160)
                found[f"{name} width {d_model} rate {rate:g}"] = loss
    return found


def seeds(corpus: Corpus, size: Size) -> Found:
    """One small run, with two settings that differ a little, many times."""
    found = {}
    schedule = ending(size.seed_steps)
    for seed in tqdm(range(size.seeds), unit="seed", disable=None):
        for table_lr in (0.03, 0.02):
            training = Training(
                config(32, 2),
                partial(muon, table_lr=table_lr),
                corpus.batches(seed),
                seed,
            )
            training.advance(size.seed_steps, schedule)
            loss = judge(training.model, corpus.held_out)
            found[f"rate {table_lr:g} seed {seed}"] = loss
    return found


PARTS = {
    "grid": (grid, "nats a token; tokens; weights"),
    "rates": (transfer, "nats a token"),
    "seeds": (seeds, "nats a token"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--small", action="store_true")
    add_option(parser)
    args = parser.parse_args()
    if args.record and args.small:
        parser.error("--record needs all runs, without --small")
    torch.set_num_threads(1)
    output = Output(as_json=args.json)
    size = SMALL if args.small else Size()
    corpus = Corpus(int(size.most), size.n_held_out)
    for part in args.parts or PARTS:
        measure, unit = PARTS[part]
        found = measure(corpus, size)
        output.heading(part, unit)
        for what, value in found.items():
            output.row(what, f"{value:.6g}")
        if part == "grid":
            lowest = min(v for what, v in found.items() if "loss" in what)
            ratio = found["floor"] / lowest
            name = "floor over the lowest loss"
            output.figure(name, ratio, against="the world's entropy")
        if args.record:
            output.line(str(keep(f"scaling-{part}", found, unit)))


if __name__ == "__main__":
    main()
