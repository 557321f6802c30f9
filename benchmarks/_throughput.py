"""Tokens a second of training: our model and step, and transformers'."""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
from _output import Output
from torch import nn

from scratchlm.model.published import flops_per_token
from scratchlm.text.shards import ArrayRows, BatchConfig, Batches
from scratchlm.training.optimizers import Constant
from scratchlm.training.pretraining import (
    Run,
    Training,
    find_dtype,
    flops_utilization,
    matmul_peak,
)
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.precision import autocast
from scratchlm.training.pretraining.step import take_step

TARGET = 1.2
RATE = 1e-4
PEAK_SIZE = 512  # matrices that other programs do not push out of the cache
CLOSE = {"float32": 1e-3, "bfloat16": 3e-2}  # losses, relative
DTYPES = tuple(CLOSE)
FAMILIES = ("Llama", "GPT-2")
Step = Callable[[], float]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", nargs="+", default=["7M", "25M"])
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--shape", default="8x256", help="batch x tokens")
    parser.add_argument("--model-rounds", type=int, default=3)


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """The same on both sides, and the faster one of PyTorch's."""
    return torch.optim.AdamW(model.parameters(), RATE, fused=True)


def batches(rows: np.ndarray) -> Batches:
    """The same rows at each step."""
    return Batches(ArrayRows(rows), BatchConfig(batch_size=len(rows)))


def our_step(model: nn.Module, rows: np.ndarray, dtype: str) -> Step:
    """A step of the package's loop, from the weights of a model."""
    run = Run(
        model=model.config,
        batches=partial(batches, rows),
        n_steps=1_000_000,
        optimizer=adamw,
        schedule=Constant(),
        dtype=dtype,
    )
    training = Training(run)
    training.model.load_state_dict(model.state_dict())

    def step() -> float:
        done = take_step(training, Request())
        assert done is not None
        return done.loss

    return step


def torch_step(model: Any, rows: np.ndarray, dtype: str) -> Step:
    """A step as a user of transformers would write it."""
    order = batches(rows)
    optimizer = adamw(model)
    model.eval()  # no dropout, as in ours

    def step() -> float:
        batch = next(order)
        tokens = torch.from_numpy(batch.tokens)
        targets = torch.from_numpy(batch.targets).contiguous()
        with autocast(find_dtype(dtype), "cpu"):
            loss = model(
                tokens,
                labels=targets,
                shift_labels=targets,
                use_cache=False,
            ).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Tokens a second of both sides in each round, and operations of one."""

    ours: list[float]
    theirs: list[float]
    flops: float


def measure(folder: Path, rows: np.ndarray, dtype: str, rounds: int) -> Rates:
    """Both sides in turn, once they have shown the same losses."""
    import transformers  # noqa: PLC0415  (seconds, which other cases spare)

    from scratchlm.interop import hf  # noqa: PLC0415

    mine = hf.load(folder, dtype=torch.float32).model
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32
    )
    steps = [our_step(mine, rows, dtype), torch_step(theirs, rows, dtype)]
    a, b = (step() for step in steps)
    if abs(a / b - 1) > CLOSE[dtype]:
        raise SystemExit(f"{folder.name}: the losses differ: {a} and {b}")
    n_tokens = rows[:, 1:].size
    rates: list[list[float]] = [[], []]
    for _ in range(rounds):
        for step, found in zip(steps, rates, strict=True):
            start = process_time()
            step()
            found.append(n_tokens / (process_time() - start))
    return Rates(
        ours=rates[0],
        theirs=rates[1],
        flops=flops_per_token(mine.config, rows.shape[1] - 1).training,
    )


def throughput(output: Output, args: argparse.Namespace) -> None:
    """Training, of our model by our step and of transformers' by PyTorch's.

    Each side at its better type of numbers. One thread, whose time counts.
    """
    from model import VOCABULARY, quiet, write  # noqa: PLC0415

    quiet()
    torch.set_num_threads(1)
    peaks = {
        dtype: matmul_peak(find_dtype(dtype), size=PEAK_SIZE, seconds=1.0)
        for dtype in DTYPES
    }
    for dtype, peak in peaks.items():
        output.line(f"matrices of {dtype}: {peak / 1e9:.0f} GFLOP/s")
    output.heading("model", "numbers", "ours", "MFU", "transformers", "ratio")
    batch, length = map(int, args.shape.split("x"))
    draws = np.random.default_rng(0)
    rows = draws.integers(0, VOCABULARY, (batch, length + 1))
    with tempfile.TemporaryDirectory() as home:
        for family in args.families:
            for size in args.models:
                label = f"{family} {size}"
                folder = Path(home) / label.replace(" ", "-")
                write(family, size, folder)
                found = {
                    dtype: measure(folder, rows, dtype, args.model_rounds)
                    for dtype in DTYPES
                }
                report(output, label, found, peaks)


def report(
    output: Output,
    label: str,
    found: dict[str, Rates],
    peaks: dict[str, float],
) -> None:
    """A row for each type, and one for each side's better."""
    for dtype, rates in found.items():
        each = zip(rates.ours, rates.theirs, strict=True)
        ratio = median(a / b for a, b in each)
        best = max(rates.ours)
        used = flops_utilization(best, rates.flops, peaks[dtype])
        output.row(
            *(label, dtype, f"{best:,.0f} tokens/s", f"{used:.0%}"),
            *(f"{max(rates.theirs):,.0f} tokens/s", f"{ratio:.2f}"),
        )
    mine, other = (
        max(found, key=lambda dtype: median(getattr(found[dtype], side)))
        for side in ("ours", "theirs")
    )
    ratio = median(found[mine].ours) / median(found[other].theirs)
    output.row(label, "each at its better", mine, "", other, f"{ratio:.2f}")
    output.figure(
        f"tokens a second of training, {label}",
        ratio,
        against="transformers",
        target=TARGET,
    )
