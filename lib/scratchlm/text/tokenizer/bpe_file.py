"""Byte-level BPE as Hugging Face's libraries keep it."""

from scratchlm.text.tokenizer.file import (
    Parts,
    document_of,
    pattern_of,
    special_of,
    split_rule,
)
from scratchlm.text.tokenizer.merging import Pair
from scratchlm.text.tokenizer.printable import from_printable, to_printable


def bpe_document(fields: Parts) -> Parts:
    """A byte-level BPE tokenizer as the file holds it, from its fields."""
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    split = split_rule(fields["pattern"])
    pre_tokenizer = {"type": "Sequence", "pretokenizers": [split, byte_level]}
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
    special = fields["special_tokens"]
    return document_of(special, pre_tokenizer, byte_level, model)


def bpe_fields(document: Parts) -> Parts:
    """The fields of a byte-level BPE tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    model, rule = document["model"], document["pre_tokenizer"]
    if not isinstance(rule, dict):
        raise ValueError("its pre_tokenizer does not cut text into pieces")
    if model.get("type", "BPE") != "BPE":
        raise ValueError(f"its model is {model['type']!r}, not 'BPE'")
    for key in (
        "dropout",
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "byte_fallback",
    ):
        if model.get(key):
            raise ValueError(f"its model has {key} = {model[key]!r}")
    special = special_of(document)
    vocab = {
        from_printable(name): i
        for name, i in model["vocab"].items()
        if name not in special
    }
    return {
        "pattern": _pattern(rule),
        "vocab": vocab,
        "merges": tuple(map(_merge, model["merges"])),
        "special_tokens": special,
        "whole_pieces": bool(model.get("ignore_merges", False)),
    }


def _merge(merge: list[str] | str) -> Pair:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return from_printable(left), from_printable(right)


def _pattern(rule: Parts) -> str:
    """The pattern of a pre-tokenizer, which has one of two forms."""
    rules = rule["pretokenizers"] if rule["type"] == "Sequence" else [rule]
    *splits, last = rules
    if last["type"] != "ByteLevel" or last.get("add_prefix_space", True):
        raise ValueError(f"its pre-tokenizer ends in {last}")
    if last.get("use_regex", True):
        if splits:
            raise ValueError(f"its pre-tokenizer splits twice: {rules}")
        return "gpt2"
    if len(splits) != 1 or splits[0]["type"] != "Split":
        raise ValueError(f"its pre-tokenizer is {rules}")
    (split,) = splits
    return pattern_of(split)
