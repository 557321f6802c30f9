"""WordPiece and Unigram as Hugging Face's libraries keep them.

Chapter: book/text/unigram.md.

``tokenizer.json`` can say more than these families do. What this package does
not do, it refuses to load, since to ignore it would give other ids.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchlm.text.tokenizer_json import (
    added_token,
    pattern_of,
    read_folder,
    special_of,
    split_rule,
    write_folder,
)

if TYPE_CHECKING:
    from scratchlm.text.subword import SubwordTokenizer
    from scratchlm.text.unigram import UnigramTokenizer
    from scratchlm.text.wordpiece import WordPieceTokenizer

Parts = dict[str, Any]
UNKNOWN = "<unk>"


def save_wordpiece(state: "WordPieceTokenizer", folder: Path) -> None:
    """Write a WordPiece tokenizer. Chapter: book/text/unigram.md.

    Args:
        state: what to write.
        folder: where; made where it is missing.

    Raises:
        ValueError: ``folder`` is a file.
    """
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
    write_folder(folder, _document(state, model, decoder))


def load_wordpiece(
    cls: type["WordPieceTokenizer"], folder: Path
) -> "WordPieceTokenizer":
    """Read a WordPiece tokenizer from its folder.

    Chapter: book/text/unigram.md.

    Raises:
        ValueError: the file is missing, corrupt or does what this package
            does not; the message names the file and what is wrong.
    """
    return read_folder(
        folder, "WordPiece tokenizer", lambda d: cls(**_wordpiece(d))
    )


def save_unigram(state: "UnigramTokenizer", folder: Path) -> None:
    """Write a unigram tokenizer. Chapter: book/text/unigram.md.

    Args:
        state: what to write.
        folder: where; made where it is missing.

    Raises:
        ValueError: ``folder`` is a file, or an id has no token.
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
    write_folder(folder, _document(state, model, decoder))


def load_unigram(
    cls: type["UnigramTokenizer"], folder: Path
) -> "UnigramTokenizer":
    """Read a unigram tokenizer from its folder.

    Chapter: book/text/unigram.md.

    Raises:
        ValueError: the file is missing, corrupt or does what this package
            does not; the message names the file and what is wrong.
    """
    return read_folder(
        folder, "unigram tokenizer", lambda d: cls(**_unigram(d))
    )


def _byte_name(byte: int) -> str:
    return f"<0x{byte:02X}>"


def _document(
    state: "SubwordTokenizer", model: Parts, decoder: Parts
) -> Parts:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            added_token(name, i) for name, i in state.special_tokens.items()
        ],
        "normalizer": None,
        "pre_tokenizer": split_rule(state.cutter.expression),
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def _frame(document: Parts, kind: str) -> Parts:
    """What the two families have in common."""
    model, rule = document["model"], document["pre_tokenizer"]
    if model["type"] != kind:
        raise ValueError(f"its model is {model['type']!r}, not {kind!r}")
    if not isinstance(rule, dict) or rule["type"] != "Split":
        raise ValueError(f"its pre-tokenizer is {rule}, not one Split")
    special = special_of(document)
    return {"pattern": pattern_of(rule), "special_tokens": special}


def _wordpiece(document: Parts) -> Parts:
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


def _unigram(document: Parts) -> Parts:
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
