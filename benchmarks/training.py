"""Training from scratch beside PyTorch's: same weights, same batches.

    python benchmarks/training.py
    python benchmarks/training.py --only autograd
    python benchmarks/training.py --sizes 32x8x8x16 --rounds 1
    python benchmarks/training.py --only loss --loss 2048x384x50257
    python benchmarks/training.py --only shakespeare --seeds 2
    python benchmarks/training.py --only throughput --models 7M
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

import _shakespeare
import _throughput
import numpy as np
import torch
from _output import Output, add_option
from torch import Tensor
from torch.nn import functional as F

from scratchlm.model.efficient_attention import peak_bytes
from scratchlm.training.backprop import (
    MLPLanguageModel,
    cross_entropy,
    descend,
)
from scratchlm.training.objective import next_token_loss

VOCABULARY = 72  # characters of TinyWorld
RATE = 0.1
CLOSE = 1e-4  # relative, after ten steps in float32
AUTOGRAD_TARGET = 0.2  # a fifth of torch's eager speed
MEMORY_TARGET = 4.0  # PyTorch's peak over ours
SPEED_TARGET = 0.9  # within a tenth of PyTorch's time
LOSS = "2048x384x50257"  # B T, D and the vocabulary of GPT-2
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


def loss(output: Output, arguments: argparse.Namespace) -> None:
    """The loss of a linear head and its gradients, without its logits.

    Beside ``F.cross_entropy`` of all logits. One thread each.
    """
    torch.set_num_threads(1)
    output.heading("BT x D x V", "", "ours", "torch", "ratio")
    n_tokens, d_model, vocab_size = map(int, arguments.loss.split("x"))
    torch.manual_seed(0)
    x = torch.randn(n_tokens, d_model, requires_grad=True)
    weight = torch.randn(vocab_size, d_model) / d_model**0.5
    weight.requires_grad_()
    targets = torch.randint(vocab_size, (n_tokens,))

    def ours() -> list[Tensor]:
        mean = next_token_loss(x, weight, targets).mean()
        return [mean, *torch.autograd.grad(mean, (x, weight))]

    def theirs() -> list[Tensor]:
        mean = F.cross_entropy(F.linear(x, weight), targets)
        return [mean, *torch.autograd.grad(mean, (x, weight))]

    for a, b in zip(ours(), theirs(), strict=True):
        off = ((a - b).norm() / b.norm()).item()
        if off > CLOSE:
            raise SystemExit(f"the results differ by {off:.0e}")
    mine, other = peak_bytes(ours), peak_bytes(theirs)
    memory = other / mine
    megabytes = [f"{each / 1e6:.0f} MB" for each in (mine, other)]
    output.row(arguments.loss, "peak memory", *megabytes, f"{memory:.2f}")
    pairs: list[list[float]] = []
    for _ in range(arguments.loss_rounds):
        pairs.append([seconds(ours), seconds(theirs)])
    speed = statistics.median(b / a for a, b in pairs)
    least = [f"{min(each):.2f} s" for each in zip(*pairs, strict=True)]
    output.row(arguments.loss, "time", *least, f"{speed:.2f}")
    named = f"loss of a linear head, {arguments.loss}"
    for what, ratio, target in [
        (f"peak memory, {named}", memory, MEMORY_TARGET),
        (f"time, {named}", speed, SPEED_TARGET),
    ]:
        output.figure(what, ratio, against="torch, eager", target=target)


def seconds(call: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = process_time()
    call()
    return process_time() - start


CASES: dict[str, Case] = {
    "autograd": autograd,
    "loss": loss,
    "shakespeare": _shakespeare.shakespeare,
    "throughput": _throughput.throughput,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(CASES))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--loss", default=LOSS)
    parser.add_argument("--loss-rounds", type=int, default=5)
    _shakespeare.add_options(parser)
    _throughput.add_options(parser)
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
