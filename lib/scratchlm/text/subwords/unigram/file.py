"""Unigram models as Hugging Face's libraries keep them."""

from typing import Any

from scratchlm.text.subwords.preparation.file import (
    WHOLE,
    prepared_document,
    prepared_fields,
)
from scratchlm.text.subwords.preparation.interface import Plain
from scratchlm.text.subwords.preparation.joining import BYTE_NAMES
from scratchlm.text.tokenizer.file import Parts, document_of, split_fields
from scratchlm.text.tokenizer.pre_tokenizer import split_rule

NAME_OF_UNKNOWN = "<unk>"


def unigram_document(fields: Parts) -> Parts:
    """A unigram tokenizer as the file holds it, from its fields.

    Raises:
        ValueError: an id has no token, or the file cannot say what the
            tokenizer does.
    """
    if fields["single_precision"]:
        raise ValueError(
            "it adds scores in single precision, as sentencepiece does, and "
            "what reads a tokenizer.json adds them in double, so that some "
            "ties would break otherwise; save dataclasses.replace(tokenizer, "
            "single_precision=False), which does as that"
        )
    rows = _rows(fields)
    unknown = fields["unknown_id"]
    if unknown is None:
        unknown = fields["byte_ids"][0]  # asked for, never used: bytes come in
    model = {
        "type": "Unigram",
        "unk_id": unknown,
        "vocab": rows,
        "byte_fallback": bool(fields["byte_ids"]),
    }
    if not isinstance(fields["rewriting"], Plain):
        return prepared_document(fields, model)
    join = [{"type": "ByteFallback"}] if fields["byte_ids"] else []
    decoder = {"type": "Sequence", "decoders": [*join, {"type": "Fuse"}]}
    return document_of(fields, split_rule(fields["pattern"]), decoder, model)


def _rows(fields: Parts) -> list[tuple[str, float]]:
    """The name and the score of each id.

    Raises:
        ValueError: an id has no token.
    """
    scores, unknown = fields["scores"], fields["unknown_id"]
    rows: dict[int, tuple[str, float]] = {
        i: (name, 0.0)
        for name, i in zip(BYTE_NAMES, fields["byte_ids"], strict=False)
    }
    if unknown is not None:
        rows[unknown] = NAME_OF_UNKNOWN, 0.0
    rows |= {
        i: (token, scores.get(token, 0.0))
        for token, i in fields["vocab"].items()
    }
    added = fields["special_tokens"] | fields["preparation"].added_tokens
    rows |= {i: (name, 0.0) for name, i in added.items()}
    ids = range(max(rows) + 1)
    free = set(ids) - set(rows)
    if free:
        raise ValueError(
            f"no token has the id {min(free)}, and a tokenizer.json of a "
            "unigram model has a token for each; number them without gaps"
        )
    return [rows[i] for i in ids]


def unigram_fields(document: Parts) -> Parts:
    """The fields of a unigram tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    model, rule = document["model"], document["pre_tokenizer"]
    if model["type"] != "Unigram":
        raise ValueError(f"its model is {model['type']!r}, not 'Unigram'")
    names = [name for name, _ in model["vocab"]]
    ids = {name: i for i, name in enumerate(names)}
    if len(ids) < len(names):
        raise ValueError("two of its tokens are the same")
    unknown = model.get("unk_id")
    if unknown is not None and unknown >= len(names):
        raise ValueError(f"its unk_id is {unknown}, which no token has")
    fallback = bool(model.get("byte_fallback"))
    parts: dict[str, Any] = {
        "byte_ids": tuple(ids[name] for name in BYTE_NAMES if fallback)
    }
    if isinstance(rule, dict) and rule["type"] == "Split":
        parts |= split_fields(document, "Unigram")
        # Written by this package, for which no text names these tokens.
        ours = {name for name in BYTE_NAMES if fallback}
    else:
        parts |= prepared_fields(document, ids) | {"pattern": WHOLE}
        ids |= parts["rewriting"].added
        parts["unknown_score"] = min(float(s) for _, s in model["vocab"]) - 10
        ours = None
    if unknown in parts["byte_ids"]:
        unknown = None
    if unknown is not None and ours is not None:
        ours.add(names[unknown])
    outside = {*parts["special_tokens"], *(ours or ())}
    if "preparation" in parts:
        outside |= parts["preparation"].added_tokens.keys()
    scores = {n: float(s) for n, s in model["vocab"] if n not in outside}
    vocab = {n: i for n, i in ids.items() if n not in outside}
    return parts | {"scores": scores, "vocab": vocab, "unknown_id": unknown}
