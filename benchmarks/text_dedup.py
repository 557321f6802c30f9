"""Deduplication beside datasketch, at equal shingles, hashes and bands.

    python benchmarks/text_dedup.py
    python benchmarks/text_dedup.py --json

Both sides start from the same texts and end with the pairs that share a
bucket; both run in turn in one process on one thread, timed by the
processor's clock, and the best of several runs counts.
"""

import argparse
import gc
import random
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import regex
import xxhash
from _output import Output, add_option
from datasketch import MinHash, MinHashLSH
from scipy.sparse import csr_array
from text import find_text

from scratchlm.text.deduplication import (
    DedupConfig,
    band_keys,
    candidate_pairs,
    deduplicate,
    distinct,
    match_probability,
    shingle,
    sign,
    signatures,
    text_blocks,
)

BANDS, ROWS, SIZE = 14, 8, 5
TARGET = 8.0  # from texts to pairs; 12 was measured with datasketch 2.0
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
HASHES = {"xxhash": xxhash.xxh32_intdigest, "sha1, its default": None}
Pairs = set[tuple[int, int]]


def with_edits(texts: list[str], seed: int = 0) -> list[str]:
    """A third more documents: copies with words changed, few to many."""
    rng = random.Random(seed)
    copies = []
    for text in texts[::3]:
        words = text.split(" ")
        for _ in range(rng.randint(0, max(len(words) // 10, 1))):
            words[rng.randrange(len(words))] = f"edit{rng.random()}"
        copies.append(" ".join(words))
    mixed = texts + copies
    rng.shuffle(mixed)
    return mixed


def cut(texts: list[str], characters: int, n: int) -> list[str]:
    """Documents of about a page; the libraries differ little with length."""
    pages = [
        text[i : i + characters]
        for text in texts
        for i in range(0, len(text), characters)
    ]
    return [page for page in pages if len(page) > characters // 4][:n]


def shingle_sets(texts: list[str]) -> list[set[bytes]]:
    """What a user of datasketch writes; its words are the package's."""
    sets = []
    for text in texts:
        words = WORD.findall(text.lower())
        last = max(len(words) - SIZE, 0)
        spans = (words[i : i + SIZE] for i in range(last + 1))
        sets.append({" ".join(span).encode() for span in spans})
    return sets


def bulk(sets: list[set[bytes]], hashfunc: Callable | None) -> list[MinHash]:
    options = {} if hashfunc is None else {"hashfunc": hashfunc}
    return MinHash.bulk(sets, num_perm=BANDS * ROWS, **options)


def meet(signed: list[MinHash]) -> Pairs:
    """Each document asks who came before it, then enters the index."""
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    pairs = set()
    for i, one in enumerate(signed):
        pairs.update((other, i) for other in index.query(one))
        index.insert(i, one, check_duplication=False)
    return pairs


def ours(texts: list[str]) -> Pairs:
    signed = signatures(texts, BANDS * ROWS, size=SIZE)
    pairs = candidate_pairs(band_keys(signed, BANDS, ROWS))
    return set(map(tuple, pairs.tolist()))


def true_pairs(texts: list[str], least: float) -> dict[tuple[int, int], float]:
    """The exact similarity of every pair that reaches ``least``."""
    sets = distinct(shingle(texts, SIZE))
    counts = np.diff(sets.offsets)
    _, columns = np.unique(sets.hashes, return_inverse=True)
    ones = np.ones(len(columns), np.int32)
    table = csr_array((ones, columns, sets.offsets))
    common = (table @ table.T).tocoo()
    upper = common.row < common.col
    i, j, both = (x[upper] for x in (common.row, common.col, common.data))
    similarity = both / (counts[i] + counts[j] - both)
    reach = similarity >= least
    found = zip(i[reach].tolist(), j[reach].tolist(), strict=True)
    return dict(zip(found, similarity[reach].tolist(), strict=True))


def seconds(run: Callable[[], object]) -> tuple[float, object]:
    gc.collect()
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def sides_of_stages(texts: list[str]) -> dict[str, tuple[Callable, Callable]]:
    """Everything from texts to pairs, and each stage on its own."""
    sets = shingle_sets(texts)
    shingled = shingle(texts, SIZE)
    signed = bulk(sets, HASHES["xxhash"])
    mine = sign(shingled, BANDS * ROWS)
    stages: dict[str, tuple[Callable, Callable]] = {
        f"texts to pairs, {name}": (
            lambda: ours(texts),
            lambda f=function: meet(bulk(shingle_sets(texts), f)),
        )
        for name, function in HASHES.items()
    }
    stages["of that: texts to shingles"] = (
        lambda: [shingle(block, SIZE) for block in text_blocks(texts)],
        lambda: shingle_sets(texts),
    )
    stages["shingles to signatures"] = (
        lambda: sign(shingled, BANDS * ROWS),
        lambda: bulk(sets, HASHES["xxhash"]),
    )
    stages["signatures to pairs"] = (
        lambda: candidate_pairs(band_keys(mine, BANDS, ROWS)),
        lambda: meet(signed),
    )
    return stages


def compare_speed(
    output: Output, texts: list[str], rounds: int
) -> tuple[dict[str, Pairs], float]:
    """Hold each stage against datasketch's.

    Returns:
        The pairs that either side found, and datasketch's best rate from
        texts to pairs, in documents per second.
    """
    output.heading("stage", "ours docs/s", "datasketch docs/s", "ratio")
    pairs: dict[str, Pairs] = {}
    fastest = 0.0
    for name, sides in sides_of_stages(texts).items():
        whole = name.startswith("texts to pairs")
        best = [float("inf")] * 2
        for _ in range(rounds):
            for side, run in enumerate(sides):
                taken, result = seconds(run)
                best[side] = min(best[side], taken)
                if name.startswith("texts to pairs, xx"):
                    pairs[("ours", "datasketch")[side]] = result
        rates = [len(texts) / taken for taken in best]
        ratio = rates[0] / rates[1]
        output.row(name, *(f"{r:,.0f}" for r in rates), f"{ratio:.1f}")
        output.figure(
            name,
            ratio,
            against="datasketch",
            target=TARGET if whole else None,
        )
        if whole:
            fastest = max(fastest, rates[1])
    return pairs, fastest


def compare_quality(
    output: Output, texts: list[str], found: dict[str, Pairs]
) -> None:
    """Recall and precision against exact similarity, with their noise."""
    every = true_pairs(texts, 0.2)
    output.heading("similarity", "pairs", "S-curve finds", *found)
    edges = [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.001]
    for low, high in pairwise(edges):
        pairs = [p for p, s in every.items() if low <= s < high]
        if not pairs:
            continue
        likely = match_probability(
            np.array([every[p] for p in pairs]), BANDS, ROWS
        )
        sigma = (likely * (1 - likely)).sum() ** 0.5 / len(pairs)
        shares = (np.mean([p in f for p in pairs]) for f in found.values())
        output.row(
            f"{low:.1f} to {min(high, 1):.1f}",
            len(pairs),
            f"{likely.mean():.3f} ± {sigma:.3f}",
            *(f"{share:.3f}" for share in shares),
        )
    output.heading("threshold 0.75", "pairs", "recall", "precision")
    true = {pair for pair, s in every.items() if s >= 0.75}
    for name, pairs in found.items():
        both = len(pairs & true)
        output.row(
            name,
            len(pairs),
            f"{both / len(true):.4f}",
            f"{both / len(pairs):.4f}",
        )


def measure_pipeline(
    output: Output, texts: list[str], rounds: int, theirs: float
) -> None:
    """What the package's user calls, exact copies and clusters included.

    Args:
        theirs: the rate of datasketch from texts to pairs alone.
    """
    output.heading("deduplicate()", "docs/s", "MB/s", "kept")
    size = sum(len(text.encode()) for text in texts) / 1e6
    for name, config in {
        "MinHash": DedupConfig(),
        "with exact verification": DedupConfig(verify=True),
        "equal copies only": DedupConfig(near=False),
    }.items():
        runs = [
            seconds(lambda c=config: deduplicate(texts, c))
            for _ in range(rounds)
        ]
        taken, result = min(runs, key=lambda run: run[0])
        output.row(
            name,
            f"{len(texts) / taken:,.0f}",
            f"{size / taken:.0f}",
            result.report.kept,
        )
        output.figure(
            f"deduplicate(), {name}",
            len(texts) / taken / theirs,
            against="datasketch, texts to pairs alone",
            target=TARGET if name == "MinHash" else None,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--characters", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    arguments = parser.parse_args()
    output = Output(as_json=arguments.json)
    needed = arguments.documents * arguments.characters
    texts = cut(
        find_text(2 * needed), arguments.characters, arguments.documents
    )
    texts = with_edits(texts)
    size = sum(len(text.encode()) for text in texts)
    output.line(f"{len(texts)} documents of {size / len(texts):.0f} bytes,")
    output.line(f"{SIZE} words a shingle, {BANDS} bands of {ROWS} hashes")
    found, theirs = compare_speed(output, texts, arguments.rounds)
    compare_quality(output, texts, found)
    measure_pipeline(output, texts, arguments.rounds, theirs)


if __name__ == "__main__":
    main()
