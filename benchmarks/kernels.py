"""The Triton kernels beside PyTorch's own, forward and backward, on a GPU.

    python benchmarks/kernels.py
    python benchmarks/kernels.py --record       # for the book's pages
    python benchmarks/kernels.py --json
    python benchmarks/kernels.py --interpret    # no GPU: results alone

Both sides take the same tensors in turn, and their results are compared with
those in float32. Times are medians over rounds, by the clock of the GPU.
With ``--interpret`` the CPU runs small shapes, and no time is shown, since
the interpreter's says nothing about the kernels'.
"""

# ruff: noqa: PLC0415 (Triton looks once whether to interpret, at its import)

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import torch
from _output import Output, add_option
from torch import Tensor
from torch.nn import functional as F

from scratchlm.book.results import Result, record
from scratchlm.model.attention import CAUSAL, DotProduct, Window
from scratchlm.model.efficient_attention import Tiled

Run = Callable[[], tuple[Tensor, ...]]
HEADS = 32, 8, 128  # of Llama 3 with 8 billion parameters
LENGTHS = [1024, 2048, 4096, 8192, 16_384]
WIDTHS = [1024, 2048, 4096, 8192]
WINDOW = 1024
CLOSE = 0.5  # our error is at most twice PyTorch's
ROUNDING = 5e-6


class Sides(NamedTuple):
    """One case: the kernel, PyTorch, and the same in float32."""

    name: str
    ours: Run
    reference: Run
    exact: Run


def differentiate(
    function: Callable[..., Tensor], inputs: list[Tensor]
) -> tuple[Tensor, ...]:
    out = function(*inputs)
    grad = torch.linspace(-1, 1, out.numel(), device=out.device)
    grad = grad.view_as(out).to(out.dtype)
    return out, *torch.autograd.grad(out, inputs, grad)


def sides(
    name: str,
    inputs: list[Tensor],
    ours: Callable[..., Tensor],
    reference: Callable[..., Tensor],
    slow: Callable[..., Tensor],
) -> Sides:
    given = [x.requires_grad_() for x in inputs]
    exact = [x.detach().float().requires_grad_() for x in inputs]
    return Sides(
        name,
        lambda: differentiate(ours, given),
        lambda: differentiate(reference, given),
        lambda: differentiate(slow, exact),
    )


def norms(small: bool, make: dict[str, Any]) -> list[Sides]:
    from scratchlm.model.efficient_attention.kernels.triton_rms_norm import (
        triton_rms_norm,
    )

    cases = []
    for width in [48, 64] if small else WIDTHS:
        rows = 40 if small else 2**26 // width
        inputs = [torch.randn(rows, width, **make) * 2]
        inputs.append(torch.randn(width, **make))
        cases.append(
            sides(
                f"{rows:,} rows of {width:,}",
                inputs,
                lambda x, w: triton_rms_norm(x, w, 1e-6),
                lambda x, w: F.rms_norm(x, w.shape, w, 1e-6),
                lambda x, w: F.rms_norm(x, w.shape, w, 1e-6),
            )
        )
    return cases


def attentions(
    small: bool, make: dict[str, Any], window: int | None
) -> list[Sides]:
    from scratchlm.model.efficient_attention.kernels.triton_attention import (
        TritonAttention,
    )

    n_heads, n_kv_heads, d_head = (2, 1, 16) if small else HEADS
    mask = CAUSAL if window is None else Window(window)
    cases = []
    for n_tokens in [70] if small else LENGTHS:
        batch = 1 if small else max(1, 16_384 // n_tokens)
        inputs = [
            torch.randn(batch, heads, n_tokens, d_head, **make)
            for heads in (n_heads, n_kv_heads, n_kv_heads)
        ]
        cases.append(
            sides(
                f"{batch} x {n_tokens:,} tokens",
                inputs,
                TritonAttention(n_heads, mask=mask),
                DotProduct(n_heads, mask=mask),
                # For float32 PyTorch might hold all scores.
                Tiled(n_heads, mask=mask, tile=1024),
            )
        )
    return cases


def errors(case: Sides) -> list[float]:
    """Our error against float32, and PyTorch's in the same type."""
    exact = case.exact()
    results = case.ours(), case.reference()
    return [
        max(
            float((a.float() - b).norm() / b.norm())
            for a, b in zip(*pair, strict=True)
        )
        for pair in ((result, exact) for result in results)
    ]


def closeness(errors: list[float]) -> float:
    """PyTorch's error over ours, where what float32 rounds off counts as
    equal."""
    ours, theirs = (max(error, ROUNDING) for error in errors)
    return theirs / ours


def milliseconds(run: Run, rounds: int) -> float:
    for _ in range(3):
        run()
    times = []
    for _ in range(rounds):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in "ab")
        start.record()
        run()
        stop.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(stop))
    return statistics.median(times)


def megabytes(run: Run) -> float:
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def compare(
    output: Output, title: str, cases: list[Sides], rounds: int, gpu: bool
) -> dict[str, float]:
    names = ["ours, ms", "PyTorch, ms", "ours, MB", "PyTorch, MB"]
    output.heading(title, *names, "")
    found = {}
    for case in cases:
        what = f"{title}, {case.name}"
        measured = ["-"] * 4
        if gpu:
            both = case.ours, case.reference
            times = [milliseconds(run, rounds) for run in both]
            peaks = [megabytes(run) for run in both]
            measured = [f"{t:.2f}" for t in times]
            measured += [f"{peak:,.0f}" for peak in peaks]
            found[f"ours, {case.name}"] = times[0]
            found[f"PyTorch, {case.name}"] = times[1]
            for kind, (ours, theirs) in (("time", times), ("peak", peaks)):
                output.figure(
                    f"{what}, {kind}", theirs / ours, against="PyTorch"
                )
        wrong = errors(case)
        ratio = closeness(wrong)
        same = "equal" if ratio >= CLOSE else f"differ by {wrong[0]:.1e}"
        output.row(case.name, *measured, same)
        output.figure(f"{what}, error", ratio, against="PyTorch", target=CLOSE)
    return found


def keep(output: Output, name: str, times: dict[str, float]) -> None:
    head = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True)
    measured = Result(
        value=times,
        unit="ms",
        device=torch.cuda.get_device_name(),
        command=f"python benchmarks/kernels.py {' '.join(sys.argv[1:])}",
        commit=commit.stdout.strip(),
        date=datetime.now(UTC).date().isoformat(),
    )
    output.line(str(record(f"kernels-{name}", measured)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--interpret", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    add_option(parser)
    args = parser.parse_args()
    output = Output(as_json=args.json)
    gpu = not args.interpret
    if gpu and not torch.cuda.is_available():
        parser.error("there is no GPU; --interpret compares results alone")
    if args.record and not gpu:
        parser.error("--record needs the times of a GPU")
    if args.interpret:  # before Triton is imported, which looks once
        os.environ["TRITON_INTERPRET"] = "1"
    torch.manual_seed(0)
    make: dict[str, Any] = {"device": "cpu", "dtype": torch.float32}
    if gpu:
        make = {"device": "cuda", "dtype": torch.bfloat16}
    window = 40 if args.interpret else WINDOW
    for name, cases in [
        ("RMSNorm", norms(args.interpret, make)),
        ("attention", attentions(args.interpret, make, None)),
        ("window", attentions(args.interpret, make, window)),
    ]:
        times = compare(output, name, cases, args.rounds, gpu)
        if args.record:
            keep(output, name.lower().replace("rmsnorm", "rms-norm"), times)


if __name__ == "__main__":
    main()
