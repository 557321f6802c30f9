"""A sum over ranks: the ring of the book, and gloo's all-reduce."""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch
from _output import Output
from torch import distributed as dist

from scratchlm.scaling.collectives.collectives import Wire, ring_all_reduce
from scratchlm.scaling.collectives.kernels.segmented_ring import (
    segmented_all_reduce,
)
from scratchlm.scaling.collectives.local import run

TARGET = 1 / 1.3  # gloo's time over ours
W = 2
Times = dict[str, list[float]]


def measure(
    group: dist.ProcessGroup, n_bytes: int, rounds: int
) -> tuple[Times, int]:
    """Seconds of each way in turn, and the bytes that the ring sent."""
    wire = Wire(group)
    generator = torch.Generator().manual_seed(group.rank())
    x = torch.randn(n_bytes // 4, generator=generator)
    ways: dict[str, Callable[[torch.Tensor], object]] = {
        "gloo": lambda x: dist.all_reduce(x, group=group),
        "ring": lambda x: ring_all_reduce(x, Wire(group)),
        "segments": lambda x: segmented_all_reduce(x, Wire(group)),
    }
    sums = {name: x.clone() for name in ways}
    for name, way in ways.items():
        way(sums[name])
    for name in ways:
        torch.testing.assert_close(sums[name], sums["gloo"])
    ring_all_reduce(x, wire)
    times: Times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            dist.barrier(group)
            began = perf_counter()
            way(sums[name])
            dist.barrier(group)
            times[name].append(perf_counter() - began)
            sums[name].fill_(1.0)  # or the sums grow beyond all numbers
    return times, wire.sent


def all_reduce(output: Output, arguments: argparse.Namespace) -> None:
    """The median time of each way, over gloo's."""
    n_bytes = arguments.megabytes << 20
    times, sent = run(measure, W, n_bytes, arguments.rounds)[0]
    wanted = 2 * (W - 1) * n_bytes // W
    assert sent == wanted, (sent, wanted)
    output.line(
        f"all-reduce of {arguments.megabytes} MB on {W} processes, each of "
        f"which sends {sent:,} bytes, 2(W - 1)/W of it"
    )
    output.heading("way", "ms", "gloo, ms", "ratio")
    theirs = median(times["gloo"])
    for name, target in (("ring", None), ("segments", TARGET)):
        ours = median(times[name])
        cells = f"{1e3 * ours:.1f}", f"{1e3 * theirs:.1f}"
        output.row(name, *cells, f"{theirs / ours:.2f}")
        output.figure(
            f"all-reduce of {arguments.megabytes} MB, {name}",
            theirs / ours,
            against="gloo",
            target=target,
        )
