"""WordPiece as Hugging Face's libraries keep it."""

import re

from scratchlm.text.tokenizer.file import Parts, document_of, split_fields
from scratchlm.text.tokenizer.pre_tokenizer import split_rule


def wordpiece_document(fields: Parts) -> Parts:
    """A WordPiece tokenizer as the file holds it, from its fields."""
    model = {
        "type": "WordPiece",
        "unk_token": fields["unknown"],
        "continuing_subword_prefix": fields["prefix"],
        "max_input_chars_per_word": fields["max_characters"],
        "vocab": fields["vocab"],
    }
    # \A, since ^ would match after each line end too.
    unmark = {
        "type": "Replace",
        "pattern": {"Regex": rf"\A{re.escape(fields['prefix'])}"},
        "content": "",
    }
    decoder = {"type": "Sequence", "decoders": [unmark, {"type": "Fuse"}]}
    split = split_rule(fields["pattern"])
    return document_of(fields, split, decoder, model)


def wordpiece_fields(document: Parts) -> Parts:
    """The fields of a WordPiece tokenizer, from its document.

    Raises:
        ValueError: it does what this package does not.
    """
    parts, model = split_fields(document, "WordPiece"), document["model"]
    unknown = model["unk_token"]
    # [UNK] may be listed among the special tokens, and is the model's own.
    special = parts["special_tokens"]
    special.pop(unknown, None)
    outside = {*special, *parts["preparation"].added_tokens}
    vocab = {t: i for t, i in model["vocab"].items() if t not in outside}
    return parts | {
        "vocab": vocab,
        "unknown": unknown,
        "prefix": model["continuing_subword_prefix"],
        "max_characters": model["max_input_chars_per_word"],
    }
