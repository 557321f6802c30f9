"""When to read the text of a task: the grid behind the page on mixtures.

    python benchmarks/training_mixture.py            # two minutes, one thread
    python benchmarks/training_mixture.py --record   # and keeps it
    python benchmarks/training_mixture.py --small    # a few steps of each

The small recipe of TinyWorld reads the world's own mixture, or one of which
half the rows are worked sums: never, always, in the first half of the run, or
in the second, in which the learning rate falls. Held out are the world's own
documents; the figures are parts of the floor.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from statistics import fmean, stdev

import torch
from _output import Output, add_option
from _recording import keep
from tqdm import tqdm

from scratchlm.recipes import floors, held_out_documents, make
from scratchlm.text.shards import (
    Batch,
    BatchConfig,
    Batches,
    MemoryTokens,
    PackedRows,
)
from scratchlm.text.tinyworld import TinyWorld
from scratchlm.training.pretraining import Training, train

DOCUMENTS = 1, 5  # seeds of documents: all kinds, and sums
# The part of rows that are sums, in the first half of the run and the second.
ORDERS = {
    "never": (0.0, 0.0),
    "always": (0.5, 0.5),
    "first": (0.5, 0.0),
    "last": (0.0, 0.5),
}
KINDS = ("all", "story", "sum")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of the grid is run."""

    steps: int = 120
    n_rows: int = 4
    seeds: int = 3
    held_out: int = 500


SMALL = Size(steps=4, n_rows=1, seeds=1, held_out=60)


class InTurn(Batches):
    """Batches of one mixture, and after so many steps of another.

    Args:
        before: the first.
        after: what follows, of the same rows.
        switch: how many steps the first has.
    """

    def __init__(self, before: Batches, after: Batches, switch: int):
        self.__dict__.update(before.__dict__)
        self.before, self.after = before, after
        self.switch = switch * before.config.batch_size

    def batch(self, start: int, stop: int) -> Batch:
        chosen = self.before if start < self.switch else self.after
        return chosen.batch(start, stop)


def rows_of(only: str | None, n: int, seed: int) -> PackedRows:
    """Rows of ``n`` documents, of one kind or of all."""
    tokenizer = make("tinyworld-tiny").tokenizer()
    documents = TinyWorld(0).documents(seed)
    chosen = (d.text for d in documents if only in (None, d.kind))
    ids = tokenizer.encode_batch(list(islice(chosen, n)), workers=1)
    end = tokenizer.special_tokens["<|endoftext|>"]
    return PackedRows(MemoryTokens(ids, end), 256)


def batches(size: Size, parts: tuple[float, float], seed: int) -> Batches:
    n = 3 * size.steps * size.n_rows
    every = rows_of(None, n, DOCUMENTS[0] + 10 * seed)
    sums = rows_of("sum", n, DOCUMENTS[1] + 10 * seed)
    one, two = (
        Batches(
            {"all": every, "sums": sums} if part else {"all": every},
            BatchConfig(batch_size=size.n_rows, seed=seed),
        )
        for part in parts
    )
    return InTurn(one, two, size.steps // 2)


def runs(size: Size) -> Iterator[tuple[str, dict[str, float]]]:
    """The excess over the floor by kind, of each order and seed."""
    given = {"n_steps": size.steps, "batch_size": size.n_rows}
    judged = held_out_documents(size.held_out)
    for order, parts in ORDERS.items():
        for seed in range(size.seeds):
            recipe = make("tinyworld-tiny", {**given, "seed": seed})
            run = replace(
                recipe.run,
                evaluate=None,
                batches=partial(batches, size, parts, seed),
            )
            training = Training(run)
            for _ in train(run, training=training):
                pass
            model = training.model.eval()
            found = floors(model, recipe.tokenizer(), judged)
            yield order, {kind: found[kind].above for kind in KINDS}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--small", action="store_true")
    add_option(parser)
    args = parser.parse_args()
    if args.record and args.small:
        parser.error("--record needs the whole grid, without --small")
    torch.set_num_threads(1)
    size = SMALL if args.small else Size()
    output = Output(as_json=args.json)
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    total = len(ORDERS) * size.seeds
    for order, above in tqdm(runs(size), total=total):
        found[order].append(above)
    kept: dict[str, float] = {}
    output.heading("sums in half of the rows", *KINDS)
    for order, each in found.items():
        cells = []
        for kind in KINDS:
            values = [above[kind] for above in each]
            kept[f"{order} {kind}"] = fmean(values)
            kept[f"{order} {kind} deviation"] = (
                stdev(values) if len(values) > 1 else 0.0
            )
            cells.append(f"{kept[f'{order} {kind}']:.2f}")
        output.row(order, *cells)
    ratio = kept["first sum"] / kept["last sum"]
    output.figure("excess on sums, read last", ratio, against="read first")
    if args.record:
        output.line(str(keep("training-mixture", kept, "parts of the floor")))


if __name__ == "__main__":
    main()
