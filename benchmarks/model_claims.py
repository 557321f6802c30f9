"""The grids behind four claims of the part on models, on one thread.

    python benchmarks/model_claims.py                    # ten minutes
    python benchmarks/model_claims.py --only experts
    python benchmarks/model_claims.py --record           # for the book's pages
    python benchmarks/model_claims.py --workers 4        # as many runs at once
    python benchmarks/model_claims.py --small            # a few steps of each

A page can afford a run or two. What it says of a rate that was tuned, of a
warm-up or of several seeds rests on dozens of runs, which are done here, and
the page reads them from ``book/results``. Losses are nats a token.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from multiprocessing import get_context
from statistics import fmean
from time import process_time
from typing import Any

import torch
from _output import Output, add_option
from _position_grids import learned_positions, no_positions
from _recording import keep
from _runs import (
    SMALL,
    VOCABULARY,
    Each,
    Found,
    Run,
    Size,
    corpus,
    draw,
    loss_of,
    train,
    up_and_down,
    up_and_level,
)
from torch import Tensor, nn
from tqdm import tqdm

from scratchlm.model.block import (
    MLP,
    LayerNorm,
    PostNorm,
    PreNorm,
    SwiGLU,
    initialize,
)
from scratchlm.model.experts import (
    BiasedRouter,
    MixtureOfExperts,
    update_biases,
)
from scratchlm.model.published import tiny, with_kernels
from scratchlm.model.transformer import Transformer, TransformerConfig

# Experts: the arms of the question what a mixture is worth, and at what.

MIXTURE = partial(MixtureOfExperts, n_experts=16, top_k=2, d_expert=96)
BIASED = partial(BiasedRouter, score=partial(torch.softmax, dim=-1))
FEEDFORWARDS: dict[str, Any] = {
    "dense": SwiGLU,
    "dense, longer": SwiGLU,
    "dense, wide": SwiGLU,
    "mixture": MIXTURE,
    "mixture, no balance": MIXTURE,
    "mixture, bias": partial(MIXTURE, router=BIASED),
}
COMPARED = "mixture, no balance, ", "mixture, bias, "
BALANCE: dict[str, Any] = {
    "mixture": {"factor": 0.05},
    "mixture, bias": {"after": partial(update_biases, rate=0.003)},
}


def expert_config(arm: str) -> TransformerConfig:
    # A run is short: weights of 0.02 would hardly leave their beginning.
    base = tiny(64, vocab_size=VOCABULARY)
    config = replace(
        base,
        feedforward=FEEDFORWARDS[arm],
        d_ff=16 * 96 if arm == "dense, wide" else base.d_ff,
        init=partial(initialize, std=0.1),
    )
    return with_kernels(config)


def seconds_a_step(arms: list[str], ids: Tensor) -> Found:
    """The least time of a step of each arm, which take turns."""
    models = {}
    for arm in arms:
        torch.manual_seed(0)
        models[arm] = Transformer(expert_config(arm))
    batch, least = draw(ids, 16, 64, 0), dict.fromkeys(arms, float("inf"))
    for _ in range(12):
        for arm, model in models.items():
            start = process_time()
            train(model, batch, iter([1e-3, 1e-3]), **BALANCE.get(arm, {}))
            least[arm] = min(least[arm], (process_time() - start) / 2)
    return least


def expert_run(
    arm: str, steps: int, n_bytes: int, rate: float, seed: int
) -> float:
    """Loss on held-out text of one run."""
    ids, unseen = corpus(n_bytes)
    torch.manual_seed(seed)
    model = Transformer(expert_config(arm))
    batch = draw(ids, 16, 64, seed)
    train(model, batch, up_and_down(rate, steps), **BALANCE.get(arm, {}))
    held_out = draw(unseen, 128, 64, 9)
    with torch.no_grad():
        model.eval()
        return fmean(loss_of(model, held_out()).item() for _ in range(3))


def experts(size: Size, each: Each) -> Found:
    """Dense models and mixtures, each at the best of some rates."""
    ids, _ = corpus(size.n_bytes)
    times = seconds_a_step(["dense", "dense, wide", "mixture"], ids)
    longer = round(size.steps * times["mixture"] / times["dense"])
    found: Found = {"steps": size.steps, "steps, longer": longer}
    found |= {f"time of {arm}": t / times["dense"] for arm, t in times.items()}
    runs: dict[str, Run] = {}
    for arm in FEEDFORWARDS:
        steps = longer if arm == "dense, longer" else size.steps
        runs[f"{arm}, "] = partial(expert_run, arm, steps, size.n_bytes)
    tuned = {name: run for name, run in runs.items() if name not in COMPARED}
    found |= tune(tuned, size.rates, size.seeds, each)
    best = min(size.rates, key=lambda r: found[f"mixture, rate {r:g}, seed 0"])
    found |= tune({k: runs[k] for k in COMPARED}, [best], size.seeds, each)
    return found


def tune(
    runs: dict[str, Run], rates: Iterable[float], seeds: int, each: Each
) -> Found:
    """Run each rate with the first seed, and the best with the others."""
    found: dict[tuple[str, float, int], float] = {}

    def add(tasks: list[tuple[str, float, int]]) -> None:
        calls = [partial(runs[name], *rest) for name, *rest in tasks]
        losses = tqdm(each(call, calls), total=len(tasks), disable=None)
        for task, loss in zip(tasks, losses, strict=True):
            found[task] = loss
            tqdm.write(f"{task}: {loss:.3f}", file=sys.stderr)

    add([(name, rate, 0) for name, rate in product(runs, rates)])
    best = {
        name: min((found[name, r, 0], r) for r in rates)[1] for name in runs
    }
    others = product(runs, range(1, seeds))
    add([(name, best[name], seed) for name, seed in others])
    return {
        f"{name}rate {rate:g}, seed {seed}": loss
        for (name, rate, seed), loss in found.items()
    }


def call(run: Callable[[], Any]) -> Any:
    """What another process is asked to do."""
    return run()


# Block: where the norm stands, how deep, with which rate and warm-up.


def keep_size(model: nn.Module, n_layers: int) -> None:
    """Draw matrices that return what is as large as what they were given."""
    for weight in model.parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
    nn.init.normal_(model.embedding.tokens.weight)
    nn.init.normal_(model.head.weight, std=0.02)


STARTS: dict[str, Any] = {"large": keep_size, "small": initialize}
NORMS: dict[str, Any] = {"post-norm": PostNorm, "pre-norm": PreNorm}


def deep_config(norm: str, depth: int, start: str) -> TransformerConfig:
    """The narrow model of the chapter on the block."""
    return replace(
        tiny(64, vocab_size=VOCABULARY),
        d_model=32,
        n_layers=depth,
        n_heads=2,
        d_head=16,
        n_kv_heads=2,
        d_ff=64,
        norm=LayerNorm,
        init=STARTS[start],
        tied=False,
        feedforward=partial(MLP, bias=False),
        block=NORMS[norm],
    )


def deep_run(
    cell: tuple[str, int, str],
    steps: tuple[int, int],
    n_bytes: int,
    rate: float,
    seed: int,
) -> float:
    """Mean of the last twenty losses of one run; steps are all and warm-up."""
    ids, _ = corpus(n_bytes)
    torch.manual_seed(seed)
    model = Transformer(deep_config(*cell))
    rates = up_and_level(rate, *steps)
    return fmean(train(model, draw(ids, 16, 32, seed), rates)[-20:])


def block(size: Size, each: Each) -> Found:
    """Post-norm by depth, rate and warm-up, and what trains beside it."""
    ids, _ = corpus(size.n_bytes)
    share = torch.bincount(ids).double() / len(ids)
    steps, deep = size.deep_steps, size.depths[-1]
    found: Found = {
        "frequencies": -torch.xlogy(share, share).sum().item(),
        "steps": steps,
        "warm-up": steps // 2,
    }
    warm = (0, steps // 2)
    cells = [
        ("post-norm", depth, "large", ramp)
        for depth, ramp in product(size.depths, warm)
    ]
    cells.append(("post-norm", deep, "small", 0))
    cells.append(("pre-norm", deep, "large", 0))
    runs: dict[str, Run] = {}
    for norm, depth, start, ramp in reversed(cells):  # the longest first
        name = f"{norm}, {depth} blocks, {start} weights, warm-up {ramp}, "
        cell, schedule = (norm, depth, start), (steps, ramp)
        runs[name] = partial(deep_run, cell, schedule, size.n_bytes)
    return found | tune(runs, size.deep_rates, size.seeds, each)


# Learned positions: what their size and a tied head do to a short training.


CLAIMS: dict[str, Callable[[Size, Each], Found]] = {
    "experts": experts,
    "block": block,
    "learned-positions": learned_positions,
    "no-positions": no_positions,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=CLAIMS)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    add_option(parser)
    args = parser.parse_args()
    if args.record and args.small:
        parser.error("--record needs the whole grid, without --small")
    torch.set_num_threads(1)
    output, size = Output(as_json=args.json), SMALL if args.small else Size()
    with ProcessPoolExecutor(
        args.workers, get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        each = pool.map if args.workers > 1 else map
        report(args, output, size, each)


def report(
    args: argparse.Namespace, output: Output, size: Size, each: Each
) -> None:
    for name in [args.only] if args.only else CLAIMS:
        found = CLAIMS[name](size, each)
        output.heading(name, "")
        losses = {k: v for k, v in found.items() if "seed" in k}
        for what, value in found.items():
            output.row(what, f"{value:.3f}")
        first, *others = losses
        for what in others:
            ratio = losses[first] / losses[what]
            output.figure(f"{name}: {what}", ratio, against=first)
        if args.record:
            unit = "nats a token; steps, and times of a step over dense's"
            output.line(str(keep(f"claims-{name}", found, unit)))


if __name__ == "__main__":
    main()
