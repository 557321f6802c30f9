"""What a ``tokenizer.json`` says besides its model.

What this package does not do is refused by name, since to ignore it would
give other ids.
"""

from collections.abc import Mapping
from typing import Any

from scratchlm.text.subwords.preparation.face import FaceText
from scratchlm.text.subwords.preparation.interface import SPACE_MARK
from scratchlm.text.subwords.preparation.joining import FaceJoining
from scratchlm.text.subwords.preparation.sentencepiece import SentencePieceText
from scratchlm.text.tokenizer.file import Parts
from scratchlm.text.tokenizer.frame import read_frame

# The whole text is one piece.
WHOLE = r"[\s\S]+"


def prepared_fields(document: Parts, vocab: Mapping[str, int]) -> Parts:
    """The fields that every prepared tokenizer has.

    Args:
        document: the content of the file.
        vocab: the id of each token of its model.

    Returns:
        The fields, without ``vocab`` and ``pattern``.

    Raises:
        ValueError: it does what this package does not.
    """
    for key in ("truncation", "padding"):
        if document.get(key):
            raise ValueError(f"it has {key} set, which changes the ids")
    listed = _added(document, vocab)
    ids = {a["content"]: a["id"] for a in listed}
    special = {a["content"]: a["id"] for a in listed if a["special"]}
    return {
        "special_tokens": special,
        "rewriting": FaceText(
            normalizer=document.get("normalizer"),
            pre_tokenizer=document.get("pre_tokenizer"),
            added={a["content"]: a["id"] for a in listed if not a["special"]},
            late=frozenset(
                a["content"] for a in listed if a.get("normalized")
            ),
        ),
        "joining": FaceJoining(decoder=document.get("decoder")),
        "frame": read_frame(document.get("post_processor"), ids),
    }


def _added(document: Parts, vocab: Mapping[str, int]) -> list[Parts]:
    """The added tokens, whose ids are those that tokenizers gives them."""
    listed = sorted(document.get("added_tokens") or (), key=lambda a: a["id"])
    free = len(vocab)
    for added in listed:
        name = added["content"]
        for key in ("lstrip", "rstrip", "single_word"):
            if added.get(key):
                raise ValueError(f"{name!r} has {key} set")
        given = vocab.get(name, free)
        if given != added["id"]:
            raise ValueError(
                f"{name!r} has the id {added['id']} among the added tokens, "
                f"and tokenizers would give it {given}"
            )
        free = max(free, given + 1)
    return listed


def prepared_document(fields: Parts, model: Parts) -> Parts:
    """A document around a model.

    Args:
        fields: those of the tokenizer.
        model: spells a piece.

    Raises:
        ValueError: the file cannot say what the tokenizer does.
    """
    rewriting, joining = fields["rewriting"], fields["joining"]
    late: frozenset[str] = frozenset()
    added: dict[str, int] = {}
    if isinstance(rewriting, FaceText):
        normalizer = rewriting.normalizer
        cut = rewriting.pre_tokenizer
        late, added = rewriting.late, rewriting.added
    else:
        normalizer, cut = _normalizer(rewriting), None
    if isinstance(joining, FaceJoining):
        decoder = joining.decoder
    else:
        decoder = _decoder(joining, rewriting)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _token(name, i, special=special, late=name in late)
            for tokens, special in (
                (fields["special_tokens"], True),
                (added, False),
            )
            for name, i in tokens.items()
        ],
        "normalizer": normalizer,
        "pre_tokenizer": cut,
        "post_processor": fields["frame"].rule(
            fields["special_tokens"] | added
        ),
        "decoder": decoder,
        "model": model,
    }


def _token(name: str, i: int, *, special: bool, late: bool) -> Parts:
    return {
        "id": i,
        "content": name,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": late,
        "special": special,
    }


def _normalizer(text: SentencePieceText) -> Parts | None:
    """The normaliser that does what sentencepiece does, where there is one.

    Raises:
        ValueError: there is none.
    """
    if text.charsmap:
        raise ValueError(
            "it normalises by sentencepiece's rules, of which the longest "
            "applies, and a tokenizer.json applies them to combined "
            "characters; keep the .model file, and read it with "
            "from_sentencepiece"
        )
    if text.as_suffix or any(" " in name for name in text.symbols):
        raise ValueError(
            "it puts spaces behind words, or has a user-defined symbol with "
            "a space, which no tokenizer.json can say; keep the .model file"
        )
    steps: list[Parts] = []
    if text.drop_extra:
        ends = rf"\A +|[ {SPACE_MARK}]+\z"
        steps += [_replace({"Regex": ends}, "")]
        steps += [_replace({"Regex": " {2,}"}, " ")]
    if text.dummy_prefix:
        steps.append({"type": "Prepend", "prepend": " "})
    if text.mark_spaces:
        steps.append(_replace({"String": " "}, SPACE_MARK))
    return {"type": "Sequence", "normalizers": steps} if steps else None


def _replace(pattern: Parts, content: str) -> Parts:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _decoder(joining: Any, text: SentencePieceText) -> Parts:
    steps: list[Parts] = [_replace({"String": SPACE_MARK}, " ")]
    if joining.byte_fallback:
        steps.append({"type": "ByteFallback"})
    steps.append({"type": "Fuse"})
    if text.dummy_prefix:
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {"type": "Sequence", "decoders": steps}
