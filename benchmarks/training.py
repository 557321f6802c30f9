"""Training from scratch beside PyTorch's: same weights, same batches.

    python benchmarks/training.py
    python benchmarks/training.py --only autograd
    python benchmarks/training.py --sizes 32x8x8x16 --rounds 1
    python benchmarks/training.py --json

Each case is a function that measures one thing on both sides, in turn and in
one process, and first checks that both compute the same.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from time import process_time

# Before NumPy is loaded: its products take one thread, as PyTorch's will.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from _output import Output, add_option
from torch import Tensor
from torch.nn import functional as F

from scratchlm.training.backprop import (
    MLPLanguageModel,
    cross_entropy,
    descend,
)

VOCABULARY = 72  # characters of TinyWorld
RATE = 0.1
CLOSE = 1e-4  # relative, after ten steps in float32
AUTOGRAD_TARGET = 0.2  # a fifth of torch's eager speed
SIZES = ("64x8x16x128", "256x8x16x512", "256x16x32x1024")  # B, T, D, F
Case = Callable[[Output, argparse.Namespace], None]
Step = Callable[[], float]


def torch_step(
    weights: list[Tensor], tokens: np.ndarray, targets: np.ndarray
) -> Step:
    """A step of the same MLP as a PyTorch user would write it."""
    x, y = torch.tensor(tokens), torch.tensor(targets)
    embedding, hidden, hidden_bias, head, head_bias = weights

    def step() -> float:
        rows = F.embedding(x, embedding).flatten(1)
        h = torch.tanh(torch.addmm(hidden_bias, rows, hidden))
        loss = F.cross_entropy(torch.addmm(head_bias, h, head), y)
        loss.backward()
        with torch.no_grad():
            for weight in weights:
                assert weight.grad is not None
                weight.sub_(weight.grad, alpha=RATE)
                weight.grad = None
        return loss.item()

    return step


def our_step(
    model: MLPLanguageModel, tokens: np.ndarray, targets: np.ndarray
) -> Step:
    def step() -> float:
        loss = cross_entropy(model(tokens), targets)
        loss.backward()
        descend(model.parameters(), RATE)
        return loss.item()

    return step


def times(steps: list[Step], rounds: int) -> list[list[float]]:
    """Processor seconds of each step in each round, the steps in turn."""
    found = []
    for _ in range(rounds):
        turn = []
        for step in steps:
            start = process_time()
            for _ in range(5):
                step()
            turn.append((process_time() - start) / 5)
        found.append(turn)
    return found


def autograd(output: Output, arguments: argparse.Namespace) -> None:
    """A step of the MLP in the package's autograd and in PyTorch's.

    One thread each: those of the other side would wait awake.
    """
    torch.set_num_threads(1)
    output.heading("B x T x D x F", "ours", "torch", "ratio", "losses")
    for size in arguments.sizes:
        batch, n_tokens, d_model, d_ff = map(int, size.split("x"))
        draws = np.random.default_rng(0)
        tokens = draws.integers(0, VOCABULARY, (batch, n_tokens))
        targets = draws.integers(0, VOCABULARY, batch)
        model = MLPLanguageModel(VOCABULARY, n_tokens, d_model, d_ff, seed=0)
        weights = [
            torch.tensor(weight.data, requires_grad=True)
            for weight in model.parameters()
        ]
        ours = our_step(model, tokens, targets)
        theirs = torch_step(weights, tokens, targets)
        losses = [(ours(), theirs()) for _ in range(10)]
        off = max(abs(a / b - 1) for a, b in losses)
        if off > CLOSE:
            raise SystemExit(f"{size}: the losses differ by {off:.0e}")
        pairs = times([ours, theirs], arguments.rounds)
        ratio = statistics.median(b / a for a, b in pairs)
        mine, other = (min(each) for each in zip(*pairs, strict=True))
        output.row(
            size,
            f"{mine * 1e3:.2f} ms",
            *(f"{other * 1e3:.2f} ms", f"{ratio:.2f}", f"equal to {off:.0e}"),
        )
        output.figure(
            f"autograd, a step of an MLP, {size}",
            ratio,
            against="torch, eager",
            target=AUTOGRAD_TARGET,
        )


CASES: dict[str, Case] = {"autograd": autograd}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(CASES))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=15)
    add_option(parser)
    arguments = parser.parse_args()
    output = Output(as_json=arguments.json)
    unknown = set(arguments.only) - set(CASES)
    if unknown:
        parser.error(f"no case {sorted(unknown)}; there are {list(CASES)}")
    for name in arguments.only:
        CASES[name](output, arguments)


if __name__ == "__main__":
    main()
