"""What each rule of sampling does to TinyWorld's documents.

    python benchmarks/inference_sampling.py            # five minutes, a thread
    python benchmarks/inference_sampling.py --record   # and keeps it
    python benchmarks/inference_sampling.py --small    # a few documents
    python benchmarks/inference_sampling.py --only rules  # choice, beams

The shipped base model writes under each rule, and the world, which knows the
truth, reads what it wrote.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from _documents import Written, write
from _output import Output, add_option
from _recording import keep
from tqdm import tqdm

from scratchlm.inference.cache import CachedLogits
from scratchlm.inference.sampling import (
    Greedy,
    StopTokens,
    beam_search,
    best_of,
    majority,
    sampler,
)
from scratchlm.recipes import artifact, held_out_documents
from scratchlm.text.tinyworld import TinyWorld

SUMS = 9_000_000  # seed of the sums that are worked
RULES = {
    "temperature": (1.3, 1.0, 0.85, 0.7, 0.55, 0.4, 0.25),
    "top_k": (50, 20, 8, 4, 2),
    "top_p": (0.98, 0.95, 0.9, 0.8, 0.6, 0.4),
    "min_p": (0.02, 0.05, 0.1, 0.2, 0.4, 0.7),
    "typical": (0.95, 0.9, 0.8, 0.6, 0.3),
    "repetition_penalty": (1.05, 1.1, 1.2, 1.5),
    "presence_penalty": (0.5, 1.0, 2.0),
    "frequency_penalty": (0.1, 0.3, 1.0),
}
NUMBERS = (1, 2, 4, 8, 16)
BEAMS = (1, 2, 4, 16, 64)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is written."""

    documents: int = 300
    starts: int = 60
    sums: int = 60
    candidates: int = 16
    told: int = 20  # stories that a search continues
    judged: int = 2000
    few: bool = False


SMALL = Size(
    documents=3, starts=2, sums=2, candidates=2, told=1, judged=20, few=True
)


class Writer:
    """The shipped model, and the world that reads what it writes."""

    def __init__(self) -> None:
        base = artifact("tinyworld-base")
        self.model, self.tokenizer = base.model, base.tokenizer
        self.world = TinyWorld(0)
        self.end = self.tokenizer.special_tokens["<|endoftext|>"]
        self.stop = StopTokens([self.end])

    def write(
        self, prompt: str, choose: Any, n: int, most: int = 400
    ) -> list[Written]:
        ids = [self.end, *self.tokenizer.encode(prompt)]
        rows = [ids] * n
        return write(self.model, rows, choose, stop=self.stop, most=most)

    def text(self, prompt: str, tokens: tuple[int, ...] | list[int]) -> str:
        whole = [i for i in tokens if i != self.end]
        return prompt + self.tokenizer.decode(whole)

    def true(self, text: str) -> bool:
        return self.world.check(text).ok


def rules(writer: Writer, size: Size) -> Iterator[tuple[str, float]]:
    """Form, truth and diversity of documents under each rule."""
    grid = [(name, value) for name, some in RULES.items() for value in some]
    for name, value in tqdm(grid[:: 12 if size.few else 1]):
        choose = sampler(**{name: value})
        rows = writer.write("", choose, size.documents)
        texts = [writer.text("", row.tokens) for row in rows]
        verdicts = [writer.world.check(text).kind for text in texts]
        bad = ("ungrammatical", "incomplete")
        yield from {
            f"{name} {value} well-formed": fmean(
                verdict not in bad for verdict in verdicts
            ),
            f"{name} {value} true": fmean(v == "ok" for v in verdicts),
            f"{name} {value} entropy": fmean(-r.drawn_log_prob for r in rows),
            f"{name} {value} distinct": len(set(texts)) / len(texts),
            f"{name} {value} tokens": fmean(len(r.tokens) for r in rows),
        }.items()
    some = held_out_documents(size.judged)
    yield "world entropy", fmean(-document.log_prob for document in some)


def choice(writer: Writer, size: Size) -> Iterator[tuple[str, float]]:
    """Truth of the one story that is chosen among n; sums by majority."""
    yield from stories_of_n(writer, size)
    yield from sums_of_n(writer, size)


def starts(size: Size, n: int) -> list[tuple[str, str]]:
    """First sentences of held-out stories, and the rest of each."""
    told = [d.text for d in held_out_documents(20 * n) if d.kind == "story"]
    cut = [text.partition(". ") for text in told[:n]]
    return [(first + ".", rest) for first, _, rest in cut]


def stories_of_n(writer: Writer, size: Size) -> Iterator[tuple[str, float]]:
    chosen: dict[str, list[bool]] = {}
    for prompt, _ in tqdm(starts(size, size.starts)):
        rows = writer.write(prompt, sampler(), size.candidates)
        texts = [writer.text(prompt, row.tokens) for row in rows]
        scores = {
            "log-probability": [row.log_prob for row in rows],
            "mean": [row.log_prob / len(row.tokens) for row in rows],
            "shortness": [-float(len(row.tokens)) for row in rows],
            "verifier": [float(writer.true(text)) for text in texts],
        }
        for n in NUMBERS:
            for group in groups(size.candidates, n):
                for name, values in scores.items():
                    best = texts[best_of(group, values.__getitem__)]
                    key = f"best of {n} by {name}"
                    chosen.setdefault(key, []).append(writer.true(best))
    for key, values in chosen.items():
        yield key, fmean(values)


def groups(n: int, size: int) -> list[list[int]]:
    """Numbers up to n in groups that share none."""
    return [list(range(i, i + size)) for i in range(0, n - size + 1, size)]


def sums_of_n(writer: Writer, size: Size) -> Iterator[tuple[str, float]]:
    draws = random.Random(SUMS)
    right: dict[str, list[bool]] = {}
    for _ in tqdm(range(size.sums)):
        text = writer.world.sample(draws, ["sum"]).text
        prompt = text.partition("\n")[0] + "\n"
        gold = last_line(text)
        (greedy,) = writer.write(prompt, Greedy(), 1)
        answer = last_line(writer.text(prompt, greedy.tokens))
        right.setdefault("sums greedy", []).append(answer == gold)
        rows = writer.write(prompt, sampler(), size.candidates)
        answers = [last_line(writer.text(prompt, r.tokens)) for r in rows]
        for n in NUMBERS:
            for group in groups(size.candidates, n):
                some = [answers[i] for i in group]
                right.setdefault(f"sums majority of {n}", []).append(
                    majority(some) == gold
                )
                right.setdefault(f"sums any of {n}", []).append(gold in some)
    for key, values in right.items():
        yield key, fmean(values)


def last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def beams(writer: Writer, size: Size) -> Iterator[tuple[str, float]]:
    """The likeliest texts that beams of each width find."""
    widths = BEAMS[:2] if size.few else BEAMS
    for width in tqdm(widths):
        best = searched(writer, "", width, 0.0)
        text = writer.text("", best.tokens)
        yield f"document {width} log-probability", best.log_prob
        yield f"document {width} tokens", len(best.tokens)
        yield f"document {width} true", float(writer.true(text))
    some = starts(size, size.told)
    for width in widths[:-1]:
        for power in (0.0, 1.0):
            found = [
                (prompt, searched(writer, prompt, width, power))
                for prompt, _ in tqdm(some)
            ]
            name = f"story {width} power {power:.0f}"
            yield (
                f"{name} log-probability",
                fmean(h.log_prob for _, h in found),
            )
            yield f"{name} tokens", fmean(len(h.tokens) for _, h in found)
            yield (
                f"{name} true",
                fmean(writer.true(writer.text(p, h.tokens)) for p, h in found),
            )
    told = [writer.tokenizer.encode(" " + rest) for _, rest in some]
    yield "story told tokens", fmean(len(ids) + 1 for ids in told)
    drawn = [writer.write(prompt, sampler(), 8) for prompt, _ in some]
    every = [row for rows in drawn for row in rows]
    yield "story drawn log-probability", fmean(r.log_prob for r in every)
    yield "story drawn tokens", fmean(len(r.tokens) for r in every)


def searched(writer: Writer, prompt: str, width: int, power: float) -> Any:
    return beam_search(
        CachedLogits(writer.model),
        [writer.end, *writer.tokenizer.encode(prompt)],
        n_beams=width,
        max_new_tokens=300,
        stop=writer.stop,
        length_penalty=power,
    )[0]


PARTS = {"rules": rules, "choice": choice, "beams": beams}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    add_option(parser)
    args = parser.parse_args()
    if args.record and args.small:
        parser.error("--record needs everything, without --small")
    torch.set_num_threads(1)
    output = Output(as_json=args.json)
    writer, size = Writer(), SMALL if args.small else Size()
    for name in args.only:
        found = dict(PARTS[name](writer, size))
        output.heading(name, "")
        for key, value in found.items():
            output.row(key, f"{value:.3f}")
        if args.record:
            output.line(str(keep(f"sampling-{name}", found, UNIT)))
        if name == "choice":
            n = size.candidates
            ratio = (found[f"sums majority of {n}"] + 1e-9) / (
                found["sums majority of 1"] + 1e-9
            )
            output.figure(f"sums, majority of {n}", ratio, against="one draw")


UNIT = "parts, nats or tokens, as named"


if __name__ == "__main__":
    main()
