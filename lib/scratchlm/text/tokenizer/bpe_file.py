"""Byte-level BPE as Hugging Face's libraries keep it."""

from dataclasses import replace
from typing import Any

from scratchlm.text.tokenizer.file import Parts, document_of, shared_fields
from scratchlm.text.tokenizer.merging import Pair
from scratchlm.text.tokenizer.pre_tokenizer import (
    byte_level,
    byte_level_cuts,
    byte_level_rule,
)
from scratchlm.text.tokenizer.preparation import Preparation
from scratchlm.text.tokenizer.printable import (
    ALPHABET,
    from_printable,
    to_printable,
)

_LETTERS = set(ALPHABET.values())


def bpe_document(fields: Parts) -> Parts:
    """A byte-level BPE tokenizer as the file holds it, from its fields.

    Raises:
        ValueError: the file cannot say it.
    """
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": fields["whole_pieces"],
        "vocab": {to_printable(t): i for t, i in fields["vocab"].items()},
        "merges": [
            [to_printable(a), to_printable(b)] for a, b in fields["merges"]
        ],
    }
    prefix_space = fields["preparation"].prefix_space
    rule = byte_level_rule(fields["pattern"], prefix_space)
    document = document_of(fields, rule, byte_level(), model)
    if fields["whole_pieces"]:
        _refuse_pieces(document, model["vocab"])
    return document


def _refuse_pieces(document: Parts, vocab: dict[str, int]) -> None:
    """Raise where an added token could be taken for a piece of other text.

    One whose id leaves a gap has to stand in the model's vocabulary, and
    there it is found as a piece too.
    """
    for row in document["added_tokens"]:
        name = row["content"]
        if name in vocab or name not in document["model"]["vocab"]:
            continue
        if not set(name) <= _LETTERS:
            continue  # no piece is written so
        if row["single_word"] or from_printable(name) != name.encode():
            raise ValueError(
                f"the added token {name!r} has the id {row['id']}, which does "
                "not follow the vocabulary, and a tokenizer.json could not "
                "tell it from a piece of text; give the added tokens ids "
                "without a gap, or this one another spelling"
            )


def bpe_fields(document: Parts) -> Parts:
    """The fields of a byte-level BPE tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    model = document["model"]
    _refuse_model(model)
    _refuse_decoder(document.get("decoder"))
    shared = shared_fields(document)
    preparation: Preparation = shared["preparation"]
    pattern, prefix_space = byte_level_cuts(document["pre_tokenizer"])
    merges = tuple(map(_merge, model["merges"]))
    merged = {to_printable(part) for pair in merges for part in pair}
    merged |= {to_printable(left + right) for left, right in merges}
    added = {*shared["special_tokens"], *preparation.added_tokens}
    outside = added - merged - _LETTERS
    return shared | {
        "pattern": pattern,
        "preparation": replace(preparation, prefix_space=prefix_space),
        "vocab": {
            from_printable(name): i
            for name, i in model["vocab"].items()
            if name not in outside
        },
        "merges": merges,
        "whole_pieces": bool(model.get("ignore_merges", False)),
    }


def _refuse_model(model: Parts) -> None:
    """Raise where the model does more than merge bytes.

    What it does with unknown characters is of no matter: bytes are known.
    """
    if model.get("type", "BPE") != "BPE":
        raise ValueError(f"its model is {model['type']!r}, not 'BPE'")
    for key in (
        "dropout",
        "continuing_subword_prefix",
        "end_of_word_suffix",
    ):
        if model.get(key):
            raise ValueError(f"its model has {key} = {model[key]!r}")


def _refuse_decoder(rule: Any) -> None:
    rules = [rule] if rule else []
    if rule and rule["type"] == "Sequence":
        rules = rule["decoders"]
    for each in rules:
        if each["type"] not in ("ByteLevel", "Fuse"):
            raise ValueError(f"it has the decoder {each}")


def _merge(merge: list[str] | str) -> Pair:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return from_printable(left), from_printable(right)
