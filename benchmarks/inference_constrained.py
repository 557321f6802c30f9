"""Masks of a grammar: what the first one costs, and beside xgrammar.

    python benchmarks/inference_constrained.py
    python benchmarks/inference_constrained.py --tokens 2000 --rounds 1

A mask is timed in states of a JSON schema: the first time, with nothing
known of the vocabulary, and again. Beside it stands reading each token by
itself, and, where it is installed, xgrammar with the same tokens.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from _output import Output, add_option

from scratchlm.inference.constrained import Vocabulary, json_schema
from scratchlm.text.tinyworld import TinyWorld

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}},
    },
    "required": ["name", "age", "pets"],
    "additionalProperties": False,
}
PLACES = {
    "name of a member": b"{",
    "in a string": b'{"name":"a',
    "in a number": b'{"name":"a","age":5',
    "in an array": b'{"name":"a","age":5,"pets":["cat"',
}


def substrings(n: int) -> list[bytes]:
    """All bytes, and the most frequent substrings of TinyWorld."""
    counts: Counter[bytes] = Counter()
    for document in TinyWorld(0).documents(1, 300):
        raw = document.text.encode()
        for size in range(2, 11):
            counts.update(raw[i : i + size] for i in range(len(raw) - size))
    pieces = [bytes([byte]) for byte in range(256)]
    return pieces + [piece for piece, _ in counts.most_common(n - 256)]


def seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def ours(tokens: Sequence[bytes], text: bytes) -> list[float]:
    """Seconds: the first mask, the same again, each token by itself."""
    vocabulary = Vocabulary(dict(enumerate(tokens)), len(tokens))
    state = json_schema(SCHEMA).start().advance(text)
    assert state is not None
    known = state
    return [
        seconds(lambda: vocabulary.allowed(known)),
        seconds(lambda: vocabulary.allowed(known)),
        seconds(lambda: [known.advance(token) for token in tokens]),
    ]


def theirs(tokens: Sequence[bytes], text: bytes) -> list[float]:
    """Seconds of xgrammar: to compile, and to fill a mask."""
    import xgrammar  # noqa: PLC0415 - which is not among our requirements

    known = xgrammar.TokenizerInfo(
        [*tokens, b"</s>"], stop_token_ids=[len(tokens)]
    )
    began = time.perf_counter()
    compiler = xgrammar.GrammarCompiler(known, max_threads=1)
    grammar = compiler.compile_json_schema(
        json.dumps(SCHEMA), any_whitespace=False, separators=(",", ":")
    )
    compiled = time.perf_counter() - began
    matcher = xgrammar.GrammarMatcher(grammar)
    assert matcher.accept_string(text)
    mask = xgrammar.allocate_token_bitmask(1, len(tokens) + 1)
    return [compiled, seconds(lambda: matcher.fill_next_token_bitmask(mask))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    add_option(parser)
    options = parser.parse_args()
    output = Output(as_json=options.json)
    torch.set_num_threads(1)
    tokens = substrings(options.tokens)
    output.heading("state", "first, ms", "again, ms", "one by one, ms")
    for place, text in PLACES.items():
        rounds = [ours(tokens, text) for _ in range(options.rounds)]
        first, again, alone = (
            1e3 * median(row) for row in zip(*rounds, strict=True)
        )
        output.row(place, f"{first:.3f}", f"{again:.4f}", f"{alone:.2f}")
        output.figure(
            f"first mask, {place}, {len(tokens)} tokens",
            alone / first,
            against="each token by itself",
        )
    if not find_spec("xgrammar"):
        output.line("\nxgrammar is not installed; `pip install xgrammar`")
        return
    output.heading("xgrammar, state", "compile, ms", "mask, ms")
    for place, text in PLACES.items():
        rounds = [theirs(tokens, text) for _ in range(options.rounds)]
        compiled, mask = (
            1e3 * median(row) for row in zip(*rounds, strict=True)
        )
        output.row(place, f"{compiled:.1f}", f"{mask:.4f}")


if __name__ == "__main__":
    main()
