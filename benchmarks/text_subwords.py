"""WordPiece and Unigram beside Hugging Face's tokenizers, on one vocabulary.

    python benchmarks/text_subwords.py
    python benchmarks/text_subwords.py --json

Our tokenizer is trained once and written as ``tokenizer.json``, which both
sides load. They encode in turn, one thread each, timed by the processor's
clock; the best of several rounds counts, and the ids are compared.
"""

import argparse
import math
import tempfile
import warnings
from pathlib import Path

from _output import Output, add_option
from text import bytes_per_second, find_text, n_bytes
from tokenizers import Tokenizer

from scratchlm.text.subwords import UnigramTokenizer, WordPieceTokenizer

Family = type[UnigramTokenizer] | type[WordPieceTokenizer]
Encoder = UnigramTokenizer | WordPieceTokenizer | Tokenizer

FAMILIES: dict[str, Family] = {
    "WordPiece": WordPieceTokenizer,
    "Unigram": UnigramTokenizer,
}
PASSES = ("empty cache", "fresh text", "second pass")


def encode(encoder: Encoder, texts: list[str]) -> None:
    for text in texts:
        encoder.encode(text)


def both_sides(saved: str, family: Family) -> tuple[Encoder, Encoder]:
    """The two tokenizers that one file describes, with empty caches."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(saved, "utf-8")
        return family.load(folder), Tokenizer.from_str(saved)


def written(tokenizer: UnigramTokenizer | WordPieceTokenizer) -> str:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(folder)
        return (Path(folder) / "tokenizer.json").read_text("utf-8")


def measure(
    saved: str, family: Family, warm: list[str], fresh: list[str], rounds: int
) -> dict[str, list[float]]:
    """Our best rate and theirs for each pass, in bytes a second."""
    rates = {name: [0.0, 0.0] for name in PASSES}
    for _ in range(rounds):
        sides = both_sides(saved, family)
        for name, texts in zip(PASSES, (warm, fresh, fresh), strict=True):
            for side, encoder in enumerate(sides):
                rate = bytes_per_second(encode, encoder, texts)
                rates[name][side] = max(rates[name][side], rate)
    return rates


def compare_ids(saved: str, family: Family, texts: list[str]) -> str:
    """Whether the ids are equal, and if not, whether ties explain it.

    Of segmentations with one score, the rounding of each side's sums picks.
    """
    ours, theirs = both_sides(saved, family)
    pairs = [(ours.encode(text), theirs.encode(text).ids) for text in texts]
    unlike = [pair for pair in pairs if pair[0] != pair[1]]
    if not unlike:
        return "equal"
    scores = getattr(ours, "scores", {})
    by_id = {ours.vocab[token]: score for token, score in scores.items()}
    sums = [
        [math.fsum(by_id.get(i, 0.0) for i in ids) for ids in pair]
        for pair in unlike
    ]
    if scores and all(math.isclose(*pair) for pair in sums):
        return f"equal but for ties in {len(unlike)} of {len(texts)} texts"
    return f"DIFFERENT in {len(unlike)} of {len(texts)} texts"


def compare(
    output: Output,
    warm: list[str],
    fresh: list[str],
    vocab_size: int,
    rounds: int,
) -> None:
    output.heading("family", "pass", "ours", "tokenizers", "ratio", "ids")
    for name, family in FAMILIES.items():
        saved = written(family.train(warm, vocab_size))
        verdict = compare_ids(saved, family, fresh)
        rates = measure(saved, family, warm, fresh, rounds)
        for which, (mine, other) in rates.items():
            output.row(
                *(name, which, f"{mine / 1e6:.1f} MB/s"),
                *(f"{other / 1e6:.1f} MB/s", f"{mine / other:.2f}", verdict),
            )
            output.figure(
                f"encoding, {name}, {which}",
                mine / other,
                against="tokenizers",
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=4)
    parser.add_argument("--vocab-size", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    arguments = parser.parse_args()
    output = Output(as_json=arguments.json)
    warnings.filterwarnings("ignore", message="the text (holds|repeats) only")
    texts = find_text(int(arguments.megabytes * 2_000_000))
    half = len(texts) // 2
    warm, fresh = texts[:half], texts[half:]
    output.line(f"{n_bytes(warm) / 1e6:.1f} MB to train on,")
    output.line(f"{n_bytes(fresh) / 1e6:.1f} MB of other files as fresh text")
    compare(output, warm, fresh, arguments.vocab_size, arguments.rounds)


if __name__ == "__main__":
    main()
