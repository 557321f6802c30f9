"""Byte-pair encoding on characters as Hugging Face's libraries keep it."""

from collections.abc import Iterable

from scratchlm.text.subwords.character_bpe.merging import RankedMerges
from scratchlm.text.subwords.preparation.file import (
    WHOLE,
    prepared_document,
    prepared_fields,
)
from scratchlm.text.subwords.preparation.interface import SPACE_MARK
from scratchlm.text.subwords.preparation.joining import BYTE_NAMES
from scratchlm.text.tokenizer.file import Parts

# A word with the marks before it, or marks at the end.
WORDS = f"{SPACE_MARK}*+[^{SPACE_MARK}]++|{SPACE_MARK}++"


def piece_pattern(tokens: Iterable[str], known: Iterable[str]) -> str:
    """The expression of pieces that can be spelled one by one.

    Between a character and a mark behind it the text may be cut where no
    token holds the two. What is cut can be remembered.

    Args:
        tokens: all that a merge can make, or that is found whole.
        known: all tokens.
    """
    over = any(SPACE_MARK in token.lstrip(SPACE_MARK) for token in tokens)
    return WHOLE if over or SPACE_MARK not in known else WORDS


def character_bpe_fields(document: Parts) -> Parts:
    """The fields of a tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    model = document["model"]
    if model.get("type", "BPE") != "BPE":
        raise ValueError(f"its model is {model['type']!r}, not 'BPE'")
    for key in (
        "dropout",
        "continuing_subword_prefix",
        "end_of_word_suffix",
    ):
        if model.get(key):
            raise ValueError(f"its model has {key} = {model[key]!r}")
    parts = prepared_fields(document, model["vocab"])
    special = parts["special_tokens"]
    vocab = parts["rewriting"].added | {
        name: i for name, i in model["vocab"].items() if name not in special
    }
    merges = RankedMerges(
        # Text must not forge a special token, so no merge may make one.
        pairs=tuple(
            (left, right)
            for left, right in map(_pair, model["merges"])
            if left + right not in special
        ),
        whole=frozenset(vocab if model.get("ignore_merges") else ()),
    )
    for left, right in merges.pairs:
        if left in BYTE_NAMES or right in BYTE_NAMES:
            raise ValueError(f"it merges bytes: {left!r} and {right!r}")
    return parts | {
        "pattern": WHOLE
        if merges.whole
        else piece_pattern(merges.made, model["vocab"]),
        "vocab": vocab,
        "merges": merges,
        "byte_fallback": bool(model.get("byte_fallback")),
        "unknown": model.get("unk_token"),
        "fuse_unknown": bool(model.get("fuse_unk")),
    }


def _pair(merge: list[str] | str) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def character_bpe_document(fields: Parts) -> Parts:
    """A tokenizer as the file holds it, from its fields.

    Raises:
        ValueError: the file cannot say what the tokenizer does.
    """
    merges, special = fields["merges"], fields["special_tokens"]
    if not isinstance(merges, RankedMerges):
        raise ValueError(
            "it merges by scores, as sentencepiece does, and a tokenizer.json "
            "ranks pairs, which breaks ties otherwise; keep the .model file, "
            "and read it with from_sentencepiece"
        )
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": fields["unknown"],
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": fields["fuse_unknown"],
        "byte_fallback": fields["byte_fallback"],
        "ignore_merges": bool(merges.whole),
        "vocab": fields["vocab"] | special,
        "merges": [list(pair) for pair in merges.pairs],
    }
    return prepared_document(fields, model)
