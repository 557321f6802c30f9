"""The tokenizer beside tiktoken and Hugging Face's tokenizers.

    python benchmarks/text.py
    python benchmarks/text.py --json

Both sides run in turn in one process, the best of several runs counts, and the
ids are compared. Encoding is timed by the processor's clock, and training, on
all cores, by the clock on the wall.
"""

import argparse
import gc
import itertools
import multiprocessing
import os
import random
import resource
import sys
import sysconfig
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from pydoc_data import topics
from typing import TypeVar

import tiktoken
from _output import Output, add_option
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from scratchlm.interop.tokenizers import from_tiktoken, to_tiktoken
from scratchlm.text.tokenizer import PATTERNS, BPETokenizer

Encoder = BPETokenizer | tiktoken.Encoding
Encode = Callable[[Encoder, list[str]], None]
Result = TypeVar("Result")

SUFFIXES = (".py", ".rst", ".txt", ".md")
FASTER = 1.0
LONGEST = 200_000  # characters of one file, lest one table be the corpus


def find_text(n_bytes: int, seed: int = 0) -> list[str]:
    """Real source and prose of this machine, shuffled by file."""
    paths = sysconfig.get_paths()
    found = {
        os.path.join(folder, name)
        for root in (paths["stdlib"], paths["purelib"], "/usr/share/doc")
        for folder, _, names in os.walk(root)
        for name in names
        if name.endswith(SUFFIXES)
    }
    ordered = sorted(found)
    random.Random(seed).shuffle(ordered)
    texts, size = [], 0
    for text in itertools.chain(topics.topics.values(), readable(ordered)):
        texts.append(text)
        size += len(text.encode())
        if size >= n_bytes:
            break
    else:
        warnings.warn(f"found {size} bytes, not {n_bytes}", stacklevel=2)
    random.Random(seed).shuffle(texts)
    return texts


def readable(paths: list[str]) -> Iterator[str]:
    for path in paths:
        try:
            yield Path(path).read_text("utf-8")[:LONGEST]
        except (UnicodeDecodeError, OSError):
            continue


def n_bytes(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def timed(
    train: Callable[[list[str], int], Result], texts: list[str], size: int
) -> tuple[float, Result]:
    gc.collect()
    start = time.perf_counter()
    result = train(texts, size)
    return time.perf_counter() - start, result


def compare_encoding(
    output: Output, warm: list[str], fresh: list[str], rounds: int
) -> None:
    """Each half as one text, as thousands of files, and as one batch."""
    output.heading(
        "one thread", "pattern", "given as", "ours", "tiktoken", "ratio", "ids"
    )
    for pattern in PATTERNS:
        trained = BPETokenizer.train(warm, 32_000, pattern=pattern)
        theirs = to_tiktoken(trained)
        verdict = compare_ids(trained, theirs, [*warm, *fresh])
        for form, encode, halves in (
            ("one text", one_by_one, (["\n".join(warm)], ["\n".join(fresh)])),
            ("files", one_by_one, (warm, fresh)),
            ("one batch", together, (warm, fresh)),
        ):
            passes = measure_passes(encode, theirs, *halves, rounds)
            for name, (mine, other) in passes.items():
                output.row(
                    *(name, pattern, form, f"{mine:.1f} MB/s"),
                    *(f"{other:.1f} MB/s", f"{mine / other:.2f}", verdict),
                )
                output.figure(
                    f"encoding, {pattern}, {form}, {name}",
                    mine / other,
                    against="tiktoken",
                    # A short text by itself is claimed to lose.
                    target=None if form == "files" else FASTER,
                )


def one_by_one(encoder: Encoder, texts: list[str]) -> None:
    for text in texts:
        encoder.encode_ordinary(text)


def together(encoder: Encoder, texts: list[str]) -> None:
    if isinstance(encoder, tiktoken.Encoding):
        encoder.encode_ordinary_batch(texts, num_threads=1)
    else:
        encoder.encode_batch(texts, workers=1)


def measure_passes(
    encode: Encode,
    theirs: tiktoken.Encoding,
    warm: list[str],
    fresh: list[str],
    rounds: int,
) -> dict[str, list[float]]:
    """From an empty cache; on text that it never saw; once more on that.

    Returns:
        For each pass our best rate and tiktoken's, in MB/s.
    """
    passes = {"empty cache": warm, "fresh text": fresh, "second pass": fresh}
    rates = {name: [0.0, 0.0] for name in passes}
    for _ in range(rounds):
        ours = from_tiktoken(theirs)
        for name, texts in passes.items():
            for side, encoder in enumerate((ours, theirs)):
                rate = bytes_per_second(encode, encoder, texts)
                rates[name][side] = max(rates[name][side], rate / 1e6)
    return rates


def compare_ids(
    ours: BPETokenizer, theirs: tiktoken.Encoding, texts: list[str]
) -> str:
    """Whether the ids are equal, and if not, whether Unicode explains it.

    ``regex`` knows newer versions of Unicode than tiktoken does, and calls
    letters what was not assigned when tiktoken was built.
    """
    different = [
        text
        for text in texts
        if ours.encode_ordinary(text) != theirs.encode_ordinary(text)
    ]
    new = [
        text
        for text in different
        if any(unicodedata.category(sign) == "Cn" for sign in text)
    ]
    if not different:
        return "equal"
    if len(new) < len(different):
        return f"DIFFERENT in {len(different)} of {len(texts)} texts"
    return f"equal but for newer Unicode in {len(new)} of {len(texts)}"


def bytes_per_second(
    encode: Encode, encoder: Encoder, texts: list[str]
) -> float:
    """Bytes per second of the processor, which other programs cannot take."""
    gc.collect()
    start = time.process_time()
    encode(encoder, texts)
    return n_bytes(texts) / (time.process_time() - start)


def train_hugging_face(texts: list[str], vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def compare_training(
    output: Output, texts: list[str], held_out: list[str], rounds: int
) -> None:
    output.heading(
        "training", "ours s", "tokenizers s", "ratio", "tokens ours / theirs"
    )
    for vocab_size in (8_000, 32_000):
        mine = other = float("inf")
        for _ in range(rounds):
            took, ours = timed(BPETokenizer.train, texts, vocab_size)
            mine = min(mine, took)
            took, theirs = timed(train_hugging_face, texts, vocab_size)
            other = min(other, took)
        count = sum(len(ours.encode_ordinary(text)) for text in held_out)
        against = sum(len(theirs.encode(text).ids) for text in held_out)
        output.row(
            *(f"{vocab_size} tokens", f"{mine:.2f}", f"{other:.2f}"),
            *(f"{other / mine:.2f}", f"{count / against:.5f}"),
        )
        output.figure(
            f"training {vocab_size} tokens",
            other / mine,
            against="tokenizers",
            target=FASTER,
        )


def measure_stream(output: Output, warm: list[str], megabytes: int) -> None:
    """In a process of its own, where training left no memory to reuse."""
    output.heading("streaming", "text", "rate", "memory added", "caches")
    tokenizer = BPETokenizer.train(warm, 32_000)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        done = pool.submit(stream, tokenizer, warm, megabytes)
    rate, added, caches = done.result()
    output.row(
        *("warm caches", f"{megabytes} MB", f"{rate / 1e6:.1f} MB/s"),
        *(f"{added / 1e6:.1f} MB", f"{caches / 1e6:.0f} MB"),
    )


def stream(
    tokenizer: BPETokenizer, warm: list[str], megabytes: int
) -> tuple[float, int, int]:
    """The rate of a long stream, the memory it added and the caches'."""
    for text in warm:
        tokenizer.encode_ordinary(text)
    start = peak = resident()
    clock = time.perf_counter()
    for n, _ in enumerate(tokenizer.encode_iterable(cut(warm, megabytes))):
        if n % 100_000 == 0:
            peak = max(peak, resident())
    rate = megabytes * 1e6 / (time.perf_counter() - clock)
    merger = tokenizer._text
    caches = sum(map(held, (merger.chunks, merger.pieces)))
    known = merger._blocks.known
    for array in (known.tokens, known.begins, known.counts):
        caches += array.nbytes
    caches += known.short.slots.nbytes
    return rate, peak - start, caches


def cut(texts: list[str], megabytes: int) -> Iterator[str]:
    """Chunks of 4096 characters, as a file might come, again and again."""
    sent = 0
    for text in itertools.cycle(texts):
        for i in range(0, len(text), 4096):
            yield text[i : i + 4096]
            sent += len(text[i : i + 4096].encode())
        if sent > megabytes * 1e6:
            return


def held(cache: dict[str, str]) -> int:
    entries = sum(
        sys.getsizeof(k) + sys.getsizeof(v) for k, v in cache.items()
    )
    return sys.getsizeof(cache) + entries


def resident() -> int:
    """The memory that the process holds now, in bytes."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stream-megabytes", type=int, default=200)
    parts = ["encoding", "training", "streaming"]
    parser.add_argument("--only", choices=parts)
    add_option(parser)
    arguments = parser.parse_args()
    output = Output(as_json=arguments.json)
    texts = find_text(int(arguments.megabytes * 2_000_000))
    half = len(texts) // 2
    warm, fresh = texts[:half], texts[half:]
    output.line(f"{n_bytes(warm) / 1e6:.1f} MB to train on,")
    output.line(f"{n_bytes(fresh) / 1e6:.1f} MB of other files as fresh text")
    if arguments.only in (None, "encoding"):
        compare_encoding(output, warm, fresh, arguments.rounds)
    if arguments.only in (None, "training"):
        compare_training(output, warm, fresh, arguments.rounds)
    if arguments.only in (None, "streaming"):
        measure_stream(output, warm, arguments.stream_megabytes)


if __name__ == "__main__":
    main()
