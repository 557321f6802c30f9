"""Unigram models as Hugging Face's libraries keep them."""

from scratchlm.text.tokenizer.file import Parts, document_of, split_fields
from scratchlm.text.tokenizer.pre_tokenizer import split_rule

_NAME_OF_UNKNOWN = "<unk>"


def unigram_document(fields: Parts) -> Parts:
    """A unigram tokenizer as the file holds it, from its fields.

    Raises:
        ValueError: an id has no token.
    """
    scores, byte_ids = fields["scores"], fields["byte_ids"]
    unknown = fields["unknown_id"]
    added = fields["special_tokens"] | fields["preparation"].added_tokens
    rows: dict[int, tuple[str, float]] = {
        i: (token, scores[token]) for token, i in fields["vocab"].items()
    }
    rows |= {i: (name, 0.0) for name, i in added.items()}
    rows |= {i: (_byte_name(b), 0.0) for b, i in enumerate(byte_ids)}
    if unknown is None:
        unknown = byte_ids[0]  # asked for, and never used: bytes come in
    else:
        rows[unknown] = _NAME_OF_UNKNOWN, 0.0
    ids = range(max(rows) + 1)
    free = set(ids) - set(rows)
    if free:
        raise ValueError(
            f"no token has the id {min(free)}, and a tokenizer.json of a "
            "unigram model has a token for each; number them without gaps"
        )
    model = {
        "type": "Unigram",
        "unk_id": unknown,
        "vocab": [rows[i] for i in ids],
        "byte_fallback": bool(byte_ids),
    }
    join = [{"type": "ByteFallback"}] if byte_ids else []
    decoder = {"type": "Sequence", "decoders": [*join, {"type": "Fuse"}]}
    return document_of(fields, split_rule(fields["pattern"]), decoder, model)


def _byte_name(byte: int) -> str:
    return f"<0x{byte:02X}>"


def unigram_fields(document: Parts) -> Parts:
    """The fields of a unigram tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    parts, model = split_fields(document, "Unigram"), document["model"]
    special = parts["special_tokens"]
    names = [name for name, _ in model["vocab"]]
    ids = {name: i for i, name in enumerate(names)}
    if len(ids) < len(names):
        raise ValueError("two of its tokens are the same")
    fallback = bool(model.get("byte_fallback"))
    wanted = [_byte_name(byte) for byte in range(256)] if fallback else []
    unknown = model.get("unk_id")
    if unknown is not None and unknown >= len(names):
        raise ValueError(f"its unk_id is {unknown}, which no token has")
    if unknown is not None and names[unknown] in wanted:
        unknown = None
    lost = set() if unknown is None else {names[unknown]}
    outside = lost.union(special, parts["preparation"].added_tokens, wanted)
    scores = {n: float(s) for n, s in model["vocab"] if n not in outside}
    special = {n: i for n, i in special.items() if n not in lost}
    return parts | {
        "scores": scores,
        "vocab": {name: ids[name] for name in scores},
        "byte_ids": tuple(ids[name] for name in wanted),
        "unknown_id": unknown,
        "special_tokens": special,
    }
