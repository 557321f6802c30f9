"""Greedy decoding: our model and cache, and transformers' generate.

Both sides read the same weights and prompts, and write the same number of
tokens, each at its best type of numbers and number of threads.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import _output
import torch
from _output import Output
from model import VOCABULARY, quiet
from model import write as write_model

from scratchlm.inference.cache import (
    CompiledDecoder,
    StaticCache,
    StepCost,
    complete,
    read_bandwidth,
    step_cost,
)
from scratchlm.interop import hf

TARGETS = {1: 3.0, 8: 1.5}
PROMPT = 16
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
Write = Callable[[torch.Tensor], list[list[int]]]


def theirs(folder: Path, dtype: torch.dtype, n_new: int) -> Write:
    """transformers, as its documentation says to call it."""
    import transformers  # noqa: PLC0415  (seconds, which other cases spare)

    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype
    ).eval()

    def written(tokens: torch.Tensor) -> list[list[int]]:
        ids = model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=n_new,
            min_new_tokens=n_new,
            do_sample=False,
            pad_token_id=0,
        )
        return ids[:, tokens.shape[1] :].tolist()

    return written


def plain(folder: Path, dtype: torch.dtype, n_new: int) -> Write:
    """Ours, with a cache that grows."""
    model = hf.load(folder, dtype=dtype).model.eval()
    return partial(complete, model, max_new_tokens=n_new)


def compiled(folder: Path, dtype: torch.dtype, n_new: int) -> Write:
    """Ours, with fixed slots and compiled blocks."""
    model = CompiledDecoder(hf.load(folder, dtype=dtype).model.eval())

    def written(tokens: torch.Tensor) -> list[list[int]]:
        cache = StaticCache(model, tokens.shape[1] + n_new)
        return complete(model, tokens, max_new_tokens=n_new, cache=cache)

    return written


SIDES: dict[str, Callable[..., Write]] = {
    "ours": plain,
    "ours, compiled": compiled,
    "transformers": theirs,
}


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def agreement(one: list[list[int]], other: list[list[int]]) -> float:
    """The part of tokens before the first that differs, over all rows."""
    same = 0
    for a, b in zip(one, other, strict=True):
        differ = [
            i
            for i, pair in enumerate(zip(a, b, strict=True))
            if pair[0] != pair[1]
        ]
        same += differ[0] if differ else len(a)
    return same / sum(map(len, one))


def measure(
    folder: Path, dtype: str, tokens: torch.Tensor, args: argparse.Namespace
) -> tuple[dict[tuple[str, int], float], dict[str, list[list[int]]]]:
    """Seconds of each side and number of threads, the sides in turn."""
    # PyTorch compiles one function eight times at most, and then no more.
    torch.compiler.reset()
    made = {
        side: make(folder, DTYPES[dtype], args.new_tokens)
        for side, make in SIDES.items()
    }
    texts = {side: write(tokens) for side, write in made.items()}
    least: dict[tuple[str, int], float] = {}
    for _ in range(args.rounds):
        for n in args.threads:
            for side, write in made.items():
                with threads(n):
                    start = perf_counter()
                    write(tokens)
                    spent = perf_counter() - start
                key = side, n
                least[key] = min(least.get(key, spent), spent)
    return least, texts


def decode(output: Output, args: argparse.Namespace) -> None:
    """Tokens a second of both sides, and the distance to the limit."""
    quiet()
    torch.set_grad_enabled(False)
    draws = torch.Generator().manual_seed(0)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        write_model("Llama", args.model, folder)
        config = hf.load(folder).model.config
        for n_rows in args.rows:
            tokens = torch.randint(
                VOCABULARY, (n_rows, PROMPT), generator=draws
            )
            report(output, folder, config, tokens, args)


def report(
    output: Output,
    folder: Path,
    config: Any,
    tokens: torch.Tensor,
    args: argparse.Namespace,
) -> None:
    """A row for each side, type and number of threads; then the best."""
    n_rows, total = len(tokens), len(tokens) * args.new_tokens
    output.line(f"\nLlama {args.model}, {n_rows} rows")
    heads = "side", "numbers", "threads", "tokens/s", "of the limit"
    output.heading(*heads, "same tokens")
    best: dict[str, float] = {}
    for name, dtype in DTYPES.items():
        least, texts = measure(folder, name, tokens, args)
        n_keys = PROMPT + args.new_tokens // 2
        cost = step_cost(config, n_rows, n_keys, dtype)
        for (side, n), spent in least.items():
            part = total / spent / limit(cost, n_rows, n)
            same = agreement(texts[side], texts["transformers"])
            rate = f"{total / spent:,.0f}"
            output.row(side, name, n, rate, f"{part:.0%}", f"{same:.0%}")
            if name == "float32" and same < 1:
                raise SystemExit(f"{side}: its tokens differ")
            group = side.partition(",")[0]
            best[group] = max(best.get(group, 0.0), total / spent)
    ratio = best["ours"] / best["transformers"]
    output.line(f"each at its best: {ratio:.2f}")
    output.figure(
        f"tokens a second of greedy decoding, {n_rows} rows",
        ratio,
        against="transformers",
        target=TARGETS.get(n_rows),
    )


def limit(cost: StepCost, n_rows: int, n_threads: int) -> float:
    """Tokens a second if a step did nothing but read."""
    with threads(n_threads):
        rate = read_bandwidth(round(cost.n_bytes))
    return n_rows * rate / cost.n_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="7M")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--new-tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    _output.add_option(parser)
    args = parser.parse_args()
    decode(Output(as_json=args.json), args)


if __name__ == "__main__":
    main()
