"""Batches beside a plain DataLoader of PyTorch over the same memory map.

    python benchmarks/text_batches.py
    python benchmarks/text_batches.py --json

Both sides take the same rows in the same order, in turn, in one process; the
batches are compared, and the best of several rounds counts. One process is
timed by the processor's clock, a loader with workers by the clock on the wall.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _output import Output, add_option
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from scratchlm.text.shards import (
    BatchConfig,
    Batches,
    ChoppedRows,
    PackedRows,
    ShardConfig,
    TokenShards,
    best_fit,
    write_shards,
)

SHAPES = [(8, 256), (32, 256), (512, 128), (32, 1024), (64, 1024), (8, 4096)]
SHAPES += [(32, 4096), (32, 8192)]
TENFOLD = 10.0
END = "<|endoftext|>"


class RandomTokens:
    """A tokenizer of random documents, since the speed of batches does not
    depend on what the tokens say."""

    vocab_size = 50_257
    fingerprint = "random"
    special_tokens = {END: 50_256}  # noqa: RUF012

    def encode_arrays(self, texts: list[str]) -> list[np.ndarray]:
        pairs = [map(int, text.split()) for text in texts]
        return [
            np.random.default_rng(seed).integers(0, 50_256, length)
            for seed, length in pairs
        ]


def make_shards(folder: Path, n_tokens: int, n_shards: int) -> TokenShards:
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(6, 1.2, n_tokens // 400), 1, 50_000)
    lengths = lengths[np.cumsum(lengths) < n_tokens].astype(int)
    texts = [f"{seed} {length}" for seed, length in enumerate(lengths)]
    size = int(lengths.sum() + len(lengths)) // n_shards
    config = ShardConfig(shard_tokens=size)
    return write_shards(texts, RandomTokens(), folder, config, workers=1)


class PlainRows(Dataset[tuple[Tensor, Tensor]]):
    """What most training scripts have: a slice of the map for each row."""

    def __init__(self, path: Path, n_tokens: int):
        self.map = np.memmap(path, "<u2", "r")
        self.n_tokens = n_tokens

    def __len__(self) -> int:
        return (len(self.map) - 1) // self.n_tokens

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        start = i * self.n_tokens
        row = self.map[start : start + self.n_tokens + 1].astype(np.int64)
        return torch.from_numpy(row[:-1]), torch.from_numpy(row[1:])


def our_batches(
    shards: TokenShards, batch_size: int, n_tokens: int
) -> Batches:
    config = BatchConfig(batch_size=batch_size)
    return Batches(ChoppedRows(shards, n_tokens), config)


def loader(
    shards: TokenShards, batch_size: int, n_tokens: int, steps: int, **how: int
) -> Iterator[list[Tensor]]:
    ours = our_batches(shards, batch_size, n_tokens)
    order = ours.order(0, steps * batch_size)[1].tolist()
    path = shards.folder / "shard-00000.tokens"
    rows = PlainRows(path, n_tokens)
    return iter(DataLoader(rows, batch_size, sampler=order, **how))


def seconds_a_step(
    batches: Iterator[object], steps: int, clock: Callable[[], float]
) -> float:
    next(batches)  # starts processes, puts the first samples in order
    start = clock()
    for _ in range(steps - 1):
        next(batches)
    return (clock() - start) / (steps - 1)


def compare_equal(shards: TokenShards, batch_size: int, n_tokens: int) -> str:
    ours = our_batches(shards, batch_size, n_tokens)
    for tokens, targets in loader(shards, batch_size, n_tokens, 20):
        batch = next(ours)
        if not np.array_equal(batch.tokens, tokens.numpy()):
            return "differ"
        if not np.array_equal(batch.targets, targets.numpy()):
            return "differ"
    return "equal"


def compare_loaders(
    output: Output,
    one: TokenShards,
    many: TokenShards,
    *,
    rounds: int,
    most_steps: int,
) -> None:
    output.heading(
        *("B", "T", "ours, µs", "16 files", "DataLoader", "ratio"),
        *("16 files", "2 workers, wall", "ratio", "batches"),
    )
    cpu, wall = time.process_time, time.perf_counter
    for shape in SHAPES:
        steps = max(20, 20_000_000 // (shape[0] * shape[1]))
        steps = min(steps, most_steps)
        sides = {
            "one": lambda s=shape: (our_batches(one, *s), cpu),
            "many": lambda s=shape: (our_batches(many, *s), cpu),
            "plain": lambda s=shape, n=steps: (loader(one, *s, n), cpu),
            "ours, wall": lambda s=shape: (our_batches(one, *s), wall),
            "two": lambda s=shape, n=steps: (
                loader(one, *s, n, num_workers=2),
                wall,
            ),
        }
        best = best_steps(sides, steps, rounds)
        ratios = {
            "one file": best["plain"] / best["one"],
            "16 files": best["plain"] / best["many"],
            "two workers": best["two"] / best["ours, wall"],
        }
        of_one, of_many, of_two = (f"{r:.1f}" for r in ratios.values())
        output.row(
            *(*shape, f"{best['one']:.0f}", f"{best['many']:.0f}"),
            *(f"{best['plain']:.0f}", of_one, of_many),
            *(f"{best['two']:.0f}", of_two, compare_equal(one, *shape)),
        )
        report(output, shape, ratios)


def best_steps(
    sides: dict[str, Callable[[], Any]], steps: int, rounds: int
) -> dict[str, float]:
    """The least microseconds a step of each side; they take turns."""
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, make in sides.items():
            batches, clock = make()
            took = seconds_a_step(batches, steps, clock) * 1e6
            best[name] = min(best[name], took)
    return best


def report(
    output: Output, shape: tuple[int, int], ratios: dict[str, float]
) -> None:
    """The ratios of one shape, with a target where one is claimed."""
    batch_size, n_tokens = shape
    claimed = batch_size >= 32 and n_tokens <= 1024
    for name, ratio in ratios.items():
        output.figure(
            f"batches of {batch_size} x {n_tokens}, {name}",
            ratio,
            against="torch.utils.data.DataLoader",
            target=TENFOLD if claimed and name != "two workers" else None,
        )


def measure_layouts(output: Output, shards: TokenShards, rounds: int) -> None:
    """What documents and positions cost beside the plain rows."""
    output.heading("B", "T", "chopped, µs", "with documents", "packed")
    for batch_size, n_tokens in [(32, 1024), (32, 4096)]:
        config = BatchConfig(batch_size=batch_size)
        took = []
        for rows in (
            ChoppedRows(shards, n_tokens),
            ChoppedRows(shards, n_tokens, documents=True),
            PackedRows(shards, n_tokens),
        ):
            steps = min(200, len(rows) // batch_size)
            took.append(
                min(
                    seconds_a_step(
                        Batches(rows, config), steps, time.process_time
                    )
                    for _ in range(rounds)
                )
            )
        output.row(batch_size, n_tokens, *(f"{t * 1e6:.0f}" for t in took))


def measure_packing(output: Output, n_documents: int) -> None:
    output.heading("documents", "T", "seconds", "padding")
    rng = np.random.default_rng(0)
    for n_tokens in (1024, 8192):
        lengths = np.clip(rng.lognormal(6, 1.2, n_documents), 1, n_tokens)
        lengths = lengths.astype(np.int64)
        start = time.process_time()
        n_rows = len(best_fit(lengths, n_tokens).bounds) - 1
        took = time.process_time() - start
        padding = 1 - lengths.sum() / (n_rows * n_tokens)
        output.row(
            f"{n_documents:,}", n_tokens, f"{took:.2f}", f"{padding:.3%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most-steps", type=int, default=400)
    parser.add_argument("--documents", type=int, default=1_000_000)
    add_option(parser)
    args = parser.parse_args()
    output = Output(as_json=args.json)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        one = make_shards(Path(folder) / "one", args.tokens, 1)
        many = make_shards(Path(folder) / "many", args.tokens, 16)
        # One file for the plain rows; the first of two holds nearly all.
        compare_loaders(
            output, one, many, rounds=args.rounds, most_steps=args.most_steps
        )
        measure_layouts(output, one, args.rounds)
    measure_packing(output, args.documents)


if __name__ == "__main__":
    main()
