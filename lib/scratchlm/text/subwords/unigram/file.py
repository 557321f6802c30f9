"""WordPiece and Unigram as Hugging Face's libraries keep them.

``tokenizer.json`` can say more than these families do. What this package does
not do, it refuses to load, since to ignore it would give other ids.
"""

import re
from typing import TYPE_CHECKING

from scratchlm.text.tokenizer.file import (
    Parts,
    document_of,
    pattern_of,
    special_of,
    split_rule,
)

if TYPE_CHECKING:
    from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
    from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer

UNKNOWN = "<unk>"


def wordpiece_document(state: "WordPieceTokenizer") -> Parts:
    """A WordPiece tokenizer as the file holds it."""
    model = {
        "type": "WordPiece",
        "unk_token": state.unknown,
        "continuing_subword_prefix": state.prefix,
        "max_input_chars_per_word": state.max_characters,
        "vocab": state.vocab,
    }
    # \A, since ^ would match after each line end too.
    unmark = {
        "type": "Replace",
        "pattern": {"Regex": rf"\A{re.escape(state.prefix)}"},
        "content": "",
    }
    decoder = {"type": "Sequence", "decoders": [unmark, {"type": "Fuse"}]}
    split = split_rule(state.cutter.expression)
    return document_of(state.special_tokens, split, decoder, model)


def unigram_document(state: "UnigramTokenizer") -> Parts:
    """A unigram tokenizer as the file holds it.

    Raises:
        ValueError: an id has no token.
    """
    rows: dict[int, tuple[str, float]] = {
        i: (token, state.scores[token]) for token, i in state.vocab.items()
    }
    rows |= {i: (name, 0.0) for name, i in state.special_tokens.items()}
    rows |= {i: (_byte_name(b), 0.0) for b, i in enumerate(state.byte_ids)}
    unknown = state.unknown_id
    if unknown is None:
        unknown = state.byte_ids[0]  # asked for, and never used: bytes come in
    else:
        rows[unknown] = UNKNOWN, 0.0
    free = set(range(state.vocab_size)) - set(rows)
    if free:
        raise ValueError(
            f"no token has the id {min(free)}, and a tokenizer.json of a "
            "unigram model has a token for each; number them without gaps"
        )
    model = {
        "type": "Unigram",
        "unk_id": unknown,
        "vocab": [rows[i] for i in range(state.vocab_size)],
        "byte_fallback": bool(state.byte_ids),
    }
    join = [{"type": "ByteFallback"}] if state.byte_ids else []
    decoder = {"type": "Sequence", "decoders": [*join, {"type": "Fuse"}]}
    split = split_rule(state.cutter.expression)
    return document_of(state.special_tokens, split, decoder, model)


def _byte_name(byte: int) -> str:
    return f"<0x{byte:02X}>"


def _frame(document: Parts, kind: str) -> Parts:
    """What the two families have in common."""
    model, rule = document["model"], document["pre_tokenizer"]
    if model["type"] != kind:
        raise ValueError(f"its model is {model['type']!r}, not {kind!r}")
    if not isinstance(rule, dict) or rule["type"] != "Split":
        raise ValueError(f"its pre-tokenizer is {rule}, not one Split")
    special = special_of(document)
    return {"pattern": pattern_of(rule), "special_tokens": special}


def wordpiece_fields(document: Parts) -> Parts:
    """The fields of a WordPiece tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    parts, model = _frame(document, "WordPiece"), document["model"]
    unknown = model["unk_token"]
    # [UNK] may be listed among the special tokens, and is the model's own.
    special = parts["special_tokens"]
    special.pop(unknown, None)
    vocab = {t: i for t, i in model["vocab"].items() if t not in special}
    return parts | {
        "vocab": vocab,
        "unknown": unknown,
        "prefix": model["continuing_subword_prefix"],
        "max_characters": model["max_input_chars_per_word"],
    }


def unigram_fields(document: Parts) -> Parts:
    """The fields of a unigram tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    parts, model = _frame(document, "Unigram"), document["model"]
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
    outside = lost.union(special, wanted)
    scores = {n: float(s) for n, s in model["vocab"] if n not in outside}
    special = {n: i for n, i in special.items() if n not in lost}
    return parts | {
        "scores": scores,
        "vocab": {name: ids[name] for name in scores},
        "byte_ids": tuple(ids[name] for name in wanted),
        "unknown_id": unknown,
        "special_tokens": special,
    }
