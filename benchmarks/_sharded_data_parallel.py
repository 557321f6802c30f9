"""A step of ZeRO: our three stages, PyTorch's fully_shard, and DDP."""

import argparse
import ctypes
import gc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from _data_parallel import CLOSE, build, draw, loss_of
from _output import Output
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.scaling.collectives.local import run
from scratchlm.scaling.sharded_data_parallel import ShardedDataParallel

TIME_TARGET = 1 / 0.9  # fully_shard's time over ours
MEMORY_TARGET = 1 / 1.1
DDP_TARGET = 1 / 0.65
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
Step = Callable[[], object]
Prepared = tuple[Step, Callable[[], Tensor]]  # and all weights, whole


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), 1e-4, fused=True)


def parts_of(model: Any) -> list[nn.Module]:
    """What is gathered one after another; the last norm is always whole."""
    return [model.embedding, *model.blocks, model.head]


def ours(stage: Any, group: Any, size: str, batch: Any) -> Prepared:
    model = build(size)
    sharded = ShardedDataParallel(
        model, group, adamw, stage=stage, modules=parts_of(model)
    )

    def step() -> None:
        sharded.backward(loss_of(model, batch) / group.size())
        sharded.step()

    def weights() -> Tensor:
        with sharded.gathered():
            return torch.cat([p.flatten() for p in model.parameters()])

    return step, weights


def fully_sharded(group: Any, size: str, batch: Any) -> Prepared:
    from torch.distributed.device_mesh import DeviceMesh  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    model: Any = build(size)
    mesh = DeviceMesh.from_group(group, "cpu")
    for part in parts_of(model):
        fully_shard(part, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = adamw(model)

    def step() -> None:
        loss_of(model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    def weights() -> Tensor:
        whole = [p.full_tensor().flatten() for p in model.parameters()]
        return torch.cat(whole)

    return step, weights


def ddp(group: Any, size: str, batch: Any) -> Prepared:
    model = build(size)
    wrapped = nn.parallel.DistributedDataParallel(
        model, process_group=group, gradient_as_bucket_view=True
    )
    optimizer = adamw(model)

    def step() -> None:
        loss_of(wrapped, batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step, lambda: torch.cat([p.flatten() for p in model.parameters()])


WAYS: dict[str, Callable[..., Prepared]] = {
    "ours, stage 1": partial(ours, 1),
    "ours, stage 2": partial(ours, 2),
    "ours, stage 3": partial(ours, 3),
    "fully_shard": fully_sharded,
    "DDP": ddp,
}
MEASURED = ("ours, stage 3", "fully_shard", "DDP")  # a start for each


@torch.no_grad()
def check_equal(prepared: dict[str, Prepared]) -> None:
    """Hold the weights of all ways against each other after a step."""
    found = {name: weights() for name, (_, weights) in prepared.items()}
    expected = found["DDP"]
    for name, whole in found.items():
        if (whole - expected).norm() > CLOSE * expected.norm():
            raise ValueError(f"{name}: the weights differ")


def measure(
    group: Any, size: str, shape: str, rounds: int
) -> dict[str, list[float]]:
    """Seconds of each step in each round, the ways in turn."""
    batch = draw(size, shape, group.rank())
    prepared = {n: way(group, size, batch) for n, way in WAYS.items()}
    for step, _ in prepared.values():
        step()
    check_equal(prepared)
    seconds: dict[str, list[float]] = {name: [] for name in prepared}
    for _ in range(rounds):
        for name, (step, _) in prepared.items():
            dist.barrier(group)
            start = perf_counter()
            step()
            dist.barrier(group)
            seconds[name].append(perf_counter() - start)
    return seconds


def status(name: str) -> int:
    """Bytes that the system counts for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(
        int(line.split()[1]) for line in lines if line.startswith(name)
    )


def give_back() -> None:
    """Let the C library return what was freed, now and from now on.

    It would keep blocks of up to 32 MB for itself, on all sides, and the
    peak would be that of its heap.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 20)
        libc.malloc_trim(0)


def peak(group: Any, name: str, size: str, shape: str) -> int:
    """Bytes that this process grows by, at most, in three steps."""
    if name != "warm-up":
        peak(group, "warm-up", "0.2M", "1x8")  # what libraries load
    way = WAYS["fully_shard" if name == "warm-up" else name]
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    step, _ = way(group, size, draw(size, shape, group.rank()))
    gc.collect()
    give_back()
    Path("/proc/self/clear_refs").write_text("5")  # without the build
    for _ in range(3):
        step()
    return max(1, status("VmHWM") - before)  # a small model may fit before


def sharded_data_parallel(output: Output, args: argparse.Namespace) -> None:
    """A step with the optimizer, of two ranks of one thread."""
    seconds = run(
        measure, 2, args.model, args.shape, args.rounds, timeout=3600.0
    )[0]
    memory = {
        name: max(run(peak, 2, name, args.model, args.memory_shape))
        for name in MEASURED
    }
    output.heading("sharded", "median step", "of fully_shard's", "peak memory")
    theirs = seconds["fully_shard"]
    ratios = {
        name: median(a / b for a, b in zip(each, theirs, strict=True))
        for name, each in seconds.items()
    }
    for name, each in seconds.items():
        output.row(
            *(name, f"{median(each) * 1e3:.0f} ms", f"{ratios[name]:.3f}"),
            f"{memory[name] / 1e6:.0f} MB" if name in memory else "",
        )
    mine = memory["ours, stage 3"]
    for what, ratio, against, target in [
        ("step", 1 / ratios["ours, stage 3"], "fully_shard", TIME_TARGET),
        *(
            ("memory", memory[name] / mine, name, target)
            for name, target in [
                ("fully_shard", MEMORY_TARGET),
                ("DDP", DDP_TARGET),
            ]
        ),
    ]:
        output.figure(
            f"ZeRO-3, {what} of {args.model} beside {against}",
            ratio,
            against=f"torch {against}",
            target=target,
        )
