"""A step of data-parallel training: our buckets, and PyTorch's DDP."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import torch
from _output import Output
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from scratchlm.model.published.presets import tiny
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.collectives.local import run
from scratchlm.scaling.data_parallel.after_backward import (
    sum_each,
    sum_flat,
)
from scratchlm.scaling.data_parallel.data_parallel import DataParallel

TARGET = 1 / 1.05  # DDP's time over ours
MIB = 1 << 20
CLOSE = 1e-5
Step = Callable[[], object]
# D, L, N = K, d_ff: of `SHAPES` in model.py.
SHAPES = {"0.2M": (64, 2, 2, 128), "25M": (448, 8, 7, 1216)}
OURS = {"1 MiB": MIB, "5 MiB": 5 * MIB, "25 MiB": 25 * MIB}
THEIRS = {"5 MiB": 5, "25 MiB": 25, "default": None}


def llama_of(
    shape: tuple[int, int, int, int], vocab_size: int
) -> TransformerConfig:
    """A Llama-like model of some sizes, head and embedding apart."""
    d_model, n_layers, n_heads, d_ff = shape
    return replace(
        tiny(64, vocab_size=vocab_size),
        d_model=d_model,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        d_head=d_model // n_heads,
        d_ff=d_ff,
        tied=False,
    )


def llama(size: str) -> TransformerConfig:
    return llama_of(SHAPES[size], 8192 if size == "25M" else 256)


def build(size: str) -> nn.Module:
    torch.manual_seed(0)
    return Transformer(llama(size))


def draw(size: str, shape: str, rank: int) -> tuple[Tensor, Tensor]:
    rows, length = map(int, shape.split("x"))
    draws = torch.Generator().manual_seed(rank)
    ids = torch.randint(
        llama(size).vocab_size, (rows, length + 1), generator=draws
    )
    return ids[:, :-1], ids[:, 1:]


def loss_of(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
    logits = model(batch[0])
    return F.cross_entropy(logits.flatten(0, 1), batch[1].flatten())


Steps = dict[str, tuple[Step, nn.Module]]


def after_backward(group: Any, size: str, batch: Any) -> Steps:
    """Sums of gradients once the backward pass is over."""

    def made(way: Callable[..., None]) -> tuple[Step, nn.Module]:
        model = build(size)

        def step() -> None:
            (loss_of(model, batch) / group.size()).backward()
            way(model.parameters(), group)

        return step, model

    return {"ours, each": made(sum_each), "ours, flat": made(sum_flat)}


def in_buckets(group: Any, size: str, batch: Any) -> Steps:
    """Our buckets, of every size, on the way and after."""

    def made(most: int, overlap: bool) -> tuple[Step, nn.Module]:
        model = build(size)
        parallel = DataParallel(model, group, most=most, overlap=overlap)

        def step() -> None:
            parallel.backward(loss_of(model, batch) / group.size())

        return step, model

    return {
        f"ours, {label}, {when}": made(most, when == "overlapped")
        for label, most in OURS.items()
        for when in ("overlapped", "after")
    }


def by_torch(group: Any, size: str, batch: Any) -> Steps:
    """PyTorch's wrapper, with buckets of every size."""

    def made(cap: int | None) -> tuple[Step, nn.Module]:
        model = build(size)
        wrapped = nn.parallel.DistributedDataParallel(
            model,
            process_group=group,
            bucket_cap_mb=cap,
            gradient_as_bucket_view=True,
        )
        return lambda: loss_of(wrapped, batch).backward(), model

    return {f"theirs, {label}": made(cap) for label, cap in THEIRS.items()}


def check_equal(steps: Steps) -> None:
    """Take one step of each, and compare their gradients."""
    kept: dict[str, list[Any]] = {}
    for name, (step, model) in steps.items():
        step()
        kept[name] = [p.grad for p in model.parameters()]
        model.zero_grad()
    expected = kept["theirs, default"]
    for name, found in kept.items():
        for a, b in zip(found, expected, strict=True):
            if (a - b).norm() > CLOSE * b.norm():
                raise ValueError(f"{name}: the gradients differ")


def measure(
    group: Any, size: str, shape: str, rounds: int
) -> dict[str, list[float]]:
    """Seconds of each step in each round, the steps in turn."""
    batch = draw(size, shape, group.rank())
    steps: Steps = {}
    for way in (after_backward, in_buckets, by_torch):
        steps |= way(group, size, batch)
    check_equal(steps)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, (step, model) in steps.items():
            dist.barrier(group)
            start = perf_counter()
            step()
            dist.barrier(group)  # both ranks have ended
            if turn:
                seconds[name].append(perf_counter() - start)
            model.zero_grad()
    return seconds


def data_parallel(output: Output, args: argparse.Namespace) -> None:
    """A step, forward and backward and sum, of two ranks of one thread."""
    found = run(
        measure,
        2,
        args.model,
        args.shape,
        args.rounds,
        timeout=3600.0,
    )[0]
    output.heading("data parallel", "median step", "ratio to DDP's best")
    times = {name: median(each) for name, each in found.items()}
    best = min((n for n in times if n.startswith("theirs")), key=times.get)
    ratios = {
        name: median(b / a for a, b in zip(each, found[best], strict=True))
        for name, each in found.items()
    }
    for name, seconds in times.items():
        output.row(name, f"{seconds * 1e3:.0f} ms", f"{ratios[name]:.3f}")
    mine = min((n for n in times if n.startswith("ours")), key=times.get)
    output.figure(
        f"data-parallel step, {args.model}",
        ratios[mine],
        against="torch DDP",
        target=TARGET,
    )
