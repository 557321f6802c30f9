"""What rows of several documents cost beside rows of one.

    python benchmarks/model_packed.py
    python benchmarks/model_packed.py --shapes 2x1024 --cores tiled
    python benchmarks/model_packed.py --json

Two models with the same weights read the same tokens, one step of training
each in turn: once as rows of one document, and once as documents whose
lengths are drawn around ``--mean``. Times are the processor's, on one thread,
so that other work on the machine counts little. The median of the ratios is
reported, with the lowest and the highest. The mask is made in each step, as
in training.
"""

import argparse
import statistics
import time
from dataclasses import replace
from functools import partial

import torch
from _output import Output, add_option
from torch import Tensor

from scratchlm.model.attention import DotProduct
from scratchlm.model.efficient_attention import Tiled
from scratchlm.model.published import presets, with_definitions, with_kernels
from scratchlm.model.transformer import (
    Transformer,
    TransformerConfig,
    fused_linear_cross_entropy,
)

VOCABULARY = 8192
SIZES = {
    "d_model": 256,
    "n_layers": 8,
    "n_heads": 8,
    "n_kv_heads": 4,
    "d_head": 32,
    "d_ff": 704,
}
CORES = {
    "definition": lambda c: with_definitions(replace(c, core=DotProduct)),
    "kernel": lambda c: with_kernels(replace(c, core=DotProduct)),
    "tiled": lambda c: with_kernels(replace(c, core=partial(Tiled, tile=128))),
}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def configuration(core: str) -> TransformerConfig:
    """About 7 million parameters, in the form of Llama."""
    small = replace(
        presets.tiny(SIZES["d_model"]),
        vocab_size=VOCABULARY,
        max_tokens=2048,
        tied=True,
        **SIZES,
    )
    return CORES[core](small)


def lay(n_rows: int, n_tokens: int, mean: int) -> Tensor:
    """Numbers of documents whose lengths are drawn from a geometric law."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(n_rows, n_tokens, generator=generator)
    return (drawn < 1 / mean).cumsum(1)


def step(
    model: Transformer,
    tokens: Tensor,
    documents: Tensor | None,
) -> float:
    """One step without the optimizer, in seconds of the processor."""
    start = time.process_time()
    x = model.hidden(tokens, documents=documents)
    targets = tokens.roll(-1, 1)
    fused_linear_cross_entropy(x, model.head.weight, targets).backward()
    model.zero_grad(set_to_none=True)
    return time.process_time() - start


def report(
    output: Output, core: str, dtype: str, shape: str, args: argparse.Namespace
) -> None:
    n_rows, n_tokens = map(int, shape.split("x"))
    torch.manual_seed(0)
    model = Transformer(configuration(core)).to(DTYPES[dtype])
    tokens = torch.randint(VOCABULARY, (n_rows, n_tokens))
    documents = lay(n_rows, n_tokens, args.mean)
    pairs = [
        (step(model, tokens, None), step(model, tokens, documents))
        for _ in range(args.rounds + 1)
    ]
    ratios = sorted(whole / packed for whole, packed in pairs[1:])
    ratio = statistics.median(ratios)
    what = f"{core} {dtype} {shape}, documents of {args.mean}"
    best = tokens.numel() / min(packed for _, packed in pairs[1:])
    output.row(
        what,
        f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        f"{best:,.0f} tokens/s",
    )
    output.figure(what, ratio, against="rows of one document")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mean", type=int, default=100)
    parser.add_argument("--shapes", nargs="+", default=["8x256", "2x1024"])
    parser.add_argument("--cores", nargs="+", default=list(CORES))
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES))
    add_option(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    output = Output(as_json=args.json)
    output.heading("step of training", "time of one over several", "several")
    for core in args.cores:
        for dtype in args.dtypes:
            for shape in args.shapes:
                report(output, core, dtype, shape, args)


if __name__ == "__main__":
    main()
