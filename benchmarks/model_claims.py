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
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Any

import torch
from _output import Output, add_option
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from scratchlm.book.results import Result, record
from scratchlm.model.block import (
    MLP,
    LayerNorm,
    PostNorm,
    PreNorm,
    SwiGLU,
    initialize,
)
from scratchlm.model.embeddings import LearnedPositions
from scratchlm.model.experts import (
    BiasedRouter,
    MixtureOfExperts,
    balance_loss,
    update_biases,
)
from scratchlm.model.positions import NoRotation
from scratchlm.model.published import tiny, with_kernels
from scratchlm.model.transformer import Transformer, TransformerConfig
from scratchlm.text.corpora import python_docs
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


def draw_positions(model: nn.Module, n_layers: int, deviation: float) -> None:
    """Draw as GPT-2 does, but the table of positions."""
    initialize(model, n_layers)
    nn.init.normal_(model.embedding.positions.weight, std=deviation)


def late_config(deviation: float | None, tied: bool) -> TransformerConfig:
    """The base model of the chapter on the transformer; None is RoPE."""
    config = TransformerConfig(
        vocab_size=VOCABULARY,
        d_model=64,
        n_layers=2,
        n_heads=2,
        n_kv_heads=1,
        d_head=32,
        d_ff=192,
        max_tokens=64,
        tied=tied,
    )
    if deviation is None:
        return config
    return replace(
        config,
        rotary=NoRotation,
        embedding=LearnedPositions,
        init=partial(draw_positions, deviation=deviation),
    )


def learned_positions(size: Size, _: Each) -> Found:
    """Learned positions by first size, with the head tied and not."""
    ids, _ = corpus(size.n_bytes)
    found: Found = {"steps": size.late_steps}
    sizes = (None, 0.0, 0.002, 0.02, 0.2)
    grid = list(product(sizes, (True, False), range(size.seeds)))
    for deviation, tied, seed in tqdm(grid, "positions", disable=None):
        torch.manual_seed(seed)
        model = Transformer(late_config(deviation, tied))
        rates = iter([3e-3] * size.late_steps)
        losses = train(model, draw(ids, 4, 64, seed), rates)
        kind = "RoPE" if deviation is None else f"deviation {deviation:g}"
        head = "tied" if tied else "free"
        found[f"{kind}, {head}, seed {seed}"] = fmean(losses[-20:])
    return found


# No positions: what a model that is told none makes of a longer text.


def no_positions(size: Size, _: Each) -> Found:
    """Loss before the end of the trained length, and far behind it."""
    topics = list(python_docs())[: size.topics]
    tok = BPETokenizer.train(topics, VOCABULARY)
    n_tokens, far = 32, 256
    text, unseen = (
        torch.tensor([i for one in part for i in tok.encode(one)])
        for part in (
            [topic for i, topic in enumerate(topics) if i % 8],
            topics[::24],
        )
    )
    config = replace(
        tiny(64, vocab_size=VOCABULARY),
        max_tokens=n_tokens,
        n_heads=4,
        n_kv_heads=2,
        d_head=16,
        rotary=NoRotation,
    )
    found: Found = {"steps": size.far_steps}
    for seed in tqdm(range(size.seeds), "no positions", disable=None):
        torch.manual_seed(seed)
        model = Transformer(config)
        batch = draw(text, 32, n_tokens, seed)
        train(model, batch, up_and_down(6e-3, size.far_steps))
        losses = loss_by_position(model, unseen, far)
        known = losses[n_tokens // 2 : n_tokens].mean().item()
        found[f"trained length, seed {seed}"] = known
        found[f"beyond it, seed {seed}"] = losses[-n_tokens:].mean().item()
    return found


@torch.no_grad()
def loss_by_position(model: nn.Module, text: Tensor, far: int) -> Tensor:
    """Mean loss at each position of rows that start at every 16th token."""
    starts = torch.arange(0, len(text) - far - 1, 16)
    total = torch.zeros(far)
    for start in starts.split(64):
        rows = text[start[:, None] + torch.arange(far + 1)]
        logits = model(rows[:, :-1]).mT
        total += F.cross_entropy(logits, rows[:, 1:], reduction="none").sum(0)
    return total / len(starts)


CLAIMS: dict[str, Callable[[Size, Each], Found]] = {
    "experts": experts,
    "block": block,
    "learned-positions": learned_positions,
    "no-positions": no_positions,
}


def keep(output: Output, name: str, found: Found) -> None:
    head = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True)
    measured = Result(
        value=found,
        unit="nats a token; steps, and times of a step over that of dense",
        device=f"one thread of {processor()}, torch {torch.__version__}",
        command=f"python benchmarks/model_claims.py {' '.join(sys.argv[1:])}",
        commit=commit.stdout.strip(),
        date=datetime.now(UTC).date().isoformat(),
    )
    output.line(str(record(f"claims-{name}", measured)))


def processor() -> str:
    """Name the processor; its architecture where the system hides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line for line in lines if line.startswith("model name")]
    return names[0].partition(": ")[2] if names else platform.machine()


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
            keep(output, name, found)


if __name__ == "__main__":
    main()
