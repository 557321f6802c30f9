"""Our recipe for Shakespeare's characters, and nanoGPT's, to one loss."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from time import perf_counter, process_time

import torch
from _output import Output
from _recording import keep
from torch import nn
from torch.nn import functional as F

from scratchlm.model.attention import Attention
from scratchlm.model.block import MLP, LayerNorm
from scratchlm.model.embeddings import LearnedPositions
from scratchlm.model.positions import NoRotation
from scratchlm.model.published import count, with_kernels
from scratchlm.model.transformer import TransformerConfig
from scratchlm.recipes.shakespeare import (
    N_TOKENS,
    PUBLISHED,
    VOCABULARY,
    held_out_nats,
    shakespeare_batches,
    shakespeare_char,
)
from scratchlm.text.corpora.public_data import data_folder
from scratchlm.training.optimizers import Cosine
from scratchlm.training.optimizers.groups import kinds_of
from scratchlm.training.pretraining import Run, Training, fastest_dtype, train

TARGET = 2.0  # half the time
EVERY = 250  # steps between evaluations, as nanoGPT's
MOST = 804_096 + N_TOKENS  # parameters of nanoGPT's model, and a few
TURNS = 40  # in which the two sides run


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, help="with the public data")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, help="of our recipe")
    parser.add_argument("--plain-steps", type=int, default=2000)
    parser.add_argument("--held-out-rows", type=int)
    parser.add_argument("--wanted", type=float, default=PUBLISHED)
    parser.add_argument("--record", action="store_true")


def nanogpt_baseline(folder: Path, n_steps: int, seed: int) -> Run:
    """GPT-2's block without shifts and AdamW, as nanoGPT sets them.

    Source: nanoGPT, README.md and config/train_shakespeare_char.py.
    """
    model = TransformerConfig(
        vocab_size=VOCABULARY,
        d_model=128,
        n_layers=4,
        n_heads=4,
        n_kv_heads=4,
        d_head=32,
        d_ff=512,
        max_tokens=N_TOKENS,
        tied=True,
        embedding=LearnedPositions,
        rotary=NoRotation,
        attention=Attention,
        feedforward=partial(MLP, bias=False, activation=F.gelu),
        norm=partial(LayerNorm, bias=False),
    )
    return Run(
        model=with_kernels(model),
        batches=partial(shakespeare_batches, folder, seed=seed),
        n_steps=n_steps,
        optimizer=plain_adamw,
        schedule=Cosine(warmup=min(100, n_steps // 3), n_steps=n_steps),
        seed=seed,
    )


def plain_adamw(model: nn.Module) -> torch.optim.Optimizer:
    kinds = kinds_of(model)
    groups = [
        {"params": kinds.matrices + kinds.tables, "weight_decay": 0.1},
        {"params": kinds.vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, 1e-3, betas=(0.9, 0.99), fused=True)


class Side:
    """A run on its way to a loss.

    Attributes:
        processor: seconds of the processor so far, evaluations too.
        wall: seconds by the clock.
        losses: after each evaluation, by the steps that were done.
        reached: the steps after which the loss was low enough, or None.
    """

    def __init__(self, run: Run, wanted: float):
        self.run, self.wanted = run, wanted
        self.processor = self.wall = 0.0
        self.losses: dict[int, float] = {}
        self.reached: int | None = None
        self.done = 0
        self.training: Training | None = None
        self._steps = self._train()

    def _train(self) -> Iterator[None]:
        self.training = Training(self.run)
        for step in train(self.run, training=self.training):
            self.done = step.step + 1
            if step.held_out is not None:
                self.losses[self.done] = step.held_out
                if step.held_out <= self.wanted:
                    self.reached = self.done
                    return
            yield

    def advance(self, until: int) -> None:
        """Train up to a step, or to the loss that is wanted."""
        began = perf_counter(), process_time()
        while self.done < until and self.reached is None:
            next(self._steps, None)
        self.wall += perf_counter() - began[0]
        self.processor += process_time() - began[1]

    def told(self) -> str:
        last = f"{self.losses[self.done]:.3f} after {self.done} steps"
        return last if self.reached else f"not reached: {last}"


def warm_up(folder: Path, dtype: str) -> None:
    """Read the text, and take what PyTorch does once out of the race."""
    for run in (
        shakespeare_char(folder=str(folder), dtype=dtype).run,
        nanogpt_baseline(folder, 100, 0),
    ):
        next(iter(train(run)))


def race(
    args: argparse.Namespace, folder: Path, dtype: str, seed: int
) -> tuple[Side, Side]:
    """Both recipes with one seed, in turns, so that both meet the same
    spells of the machine."""
    settings = {} if args.steps is None else {"n_steps": args.steps}
    recipe = shakespeare_char(
        folder=str(folder), dtype=dtype, seed=seed, **settings
    )
    runs = recipe.run, nanogpt_baseline(folder, args.plain_steps, seed)
    evaluate = partial(held_out_nats, folder=folder, n_rows=args.held_out_rows)
    ours, theirs = (
        Side(
            replace(run, evaluate=evaluate, evaluate_every=EVERY), args.wanted
        )
        for run in runs
    )
    for turn in range(1, TURNS + 1):
        for side in (ours, theirs):
            side.advance(side.run.n_steps * turn // TURNS)
    return ours, theirs


def shakespeare(output: Output, args: argparse.Namespace) -> None:
    """Seconds to nanoGPT's published loss, ours and its own recipe.

    One thread each. What is validated are all characters of the last tenth,
    by both, and the time of that counts.
    """
    folder = args.folder or data_folder(os.environ)
    if folder is None:
        output.line("shakespeare is left out: name its folder in --folder")
        return
    torch.set_num_threads(1)
    dtype = fastest_dtype()
    warm_up(folder, dtype)
    output.heading("seed", f"ours, {dtype}", "nanoGPT's", "ratio", "by clock")
    found: dict[str, float] = {}
    ratios = []
    for seed in range(args.seeds):
        ours, theirs = race(args, folder, dtype, seed)
        for side in (ours, theirs):
            assert side.training is not None
            if count(side.training.model) > MOST:
                raise SystemExit("a model is larger than the published one")
        ratio = theirs.processor / ours.processor
        output.row(
            seed,
            f"{ours.processor:.1f} s ({ours.told()})",
            f"{theirs.processor:.1f} s ({theirs.told()})",
            f"{ratio:.2f}",
            f"{theirs.wall / ours.wall:.2f}",
        )
        if ours.reached:
            ratios.append(ratio)
        found |= figures(seed, ours, "ours") | figures(seed, theirs, "nanoGPT")
        if args.record:  # after each, for they take minutes
            units = "s of the processor; steps; nats a character"
            output.line(str(keep("shakespeare-char", found, units)))
    if len(ratios) == args.seeds:
        what = f"processor seconds to a validation loss of {args.wanted}"
        output.figure(
            what, fmean(ratios), against="nanoGPT's recipe", target=TARGET
        )


def figures(seed: int, side: Side, name: str) -> dict[str, float]:
    """What one run came to."""
    found = {
        f"{name} seed {seed} seconds": side.processor,
        f"{name} seed {seed} seconds by clock": side.wall,
        f"{name} seed {seed} steps": side.done,
    }
    return found | {
        f"{name} seed {seed} loss at {step}": loss
        for step, loss in side.losses.items()
    }
