"""Tokenizers as Hugging Face's libraries keep them.

``tokenizer.json`` can say more than byte-level BPE does. What this package
does not do, it refuses to load, since to ignore it would give other ids.
"""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from scratchlm.foundation.durable import write_whole
from scratchlm.text.tokenizer.added_tokens import AS_SPELLED, Matching
from scratchlm.text.tokenizer.frame import read_frame
from scratchlm.text.tokenizer.normalizers import (
    normalizer_rule,
    read_normalizers,
)
from scratchlm.text.tokenizer.pre_tokenizer import pattern_of
from scratchlm.text.tokenizer.preparation import Preparation

Parts = dict[str, Any]
FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"

Result = TypeVar("Result")


def write_folder(folder: Path, document: Parts) -> None:
    """Write a document, and the file that names the class to load it.

    Each of the two is written whole or not at all.

    Args:
        folder: where; made where it is missing.
        document: the content of ``tokenizer.json``.

    Raises:
        ValueError: ``folder`` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder to save into")
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
    }
    for name, content in ((FILE, document), (CONFIG, config)):
        text = json.dumps(content, ensure_ascii=False, indent=1)
        write_whole(folder / name, text.encode())


def read_folder(
    folder: Path, kind: str, build: Callable[[Parts], Result]
) -> Result:
    """Read ``tokenizer.json`` and make something of it.

    Args:
        folder: where the file lies.
        kind: what it should hold, in words.
        build: makes it from the document; it raises where it cannot.

    Raises:
        ValueError: the file is missing or corrupt, or ``build`` raised; the
            message names the file and what is wrong.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_text("utf-8"))
        return build(document)
    except FileNotFoundError:
        raise ValueError(
            f"there is no {path}; give the folder that a tokenizer was saved "
            "into"
        ) from None
    except (OSError, UnicodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"cannot read {path}: {error}; save or download it again"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{path} is not a {kind} that this package can "
            f"load: {what}; use the tokenizers library for it"
        ) from error


def document_of(
    fields: Parts, pre_tokenizer: Parts, decoder: Parts, model: Parts
) -> Parts:
    """A tokenizer as the file holds it.

    Args:
        fields: of the tokenizer; what all families share is read here.
        pre_tokenizer: cuts text into pieces.
        decoder: joins what the tokens spell.
        model: spells a piece.

    Raises:
        ValueError: an added token is spelled as another of the vocabulary.
    """
    special, preparation = fields["special_tokens"], fields["preparation"]
    added = special | preparation.added_tokens
    if isinstance(model["vocab"], dict):
        model = model | {"vocab": with_added(model["vocab"], added)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name}
            | vars(preparation.matching.get(name, AS_SPELLED))
            | {"special": name in special}
            for name, i in sorted(added.items(), key=lambda item: item[1])
        ],
        "normalizer": normalizer_rule(preparation.normalizers),
        "pre_tokenizer": pre_tokenizer,
        "post_processor": fields["frame"].rule(added),
        "decoder": decoder,
        "model": model,
    }


def with_added(
    vocab: Mapping[str, int], added: Mapping[str, int]
) -> dict[str, int]:
    """A vocabulary, so that added tokens get their ids when it is read.

    Hugging Face's library takes no notice of an added token's own id. One
    that the vocabulary has keeps the id from there, and the others get what
    follows the vocabulary's size, in turn.

    Args:
        vocab: the id of each token as it is written.
        added: the id of each added token.

    Raises:
        ValueError: one is written as a token with another id.
    """
    for name, i in added.items():
        if vocab.get(name, i) != i:
            raise ValueError(
                f"the added token {name!r} has the id {i}, and a "
                "tokenizer.json would write it as it writes the token "
                f"{vocab[name]}; give it another spelling"
            )
    if numbered(vocab, sorted(added, key=added.__getitem__)) == added:
        return dict(vocab)
    return dict(vocab) | dict(added)


def numbered(vocab: Mapping[str, int], names: list[str]) -> dict[str, int]:
    """The ids that Hugging Face's library gives to added tokens.

    Args:
        vocab: the id of each token as it is written.
        names: the added tokens in the order of the file.
    """
    free = count(len(vocab))
    return {
        name: vocab[name] if name in vocab else next(free)
        for name in dict.fromkeys(names)
    }


def shared_fields(document: Parts) -> Parts:
    """What a document says beside the model and the cut.

    Returns:
        The special tokens, the preparation and the frame.

    Raises:
        ValueError: it says what this package does not do, or ids that
            Hugging Face's library would not give.
    """
    for key in ("truncation", "padding"):
        if document.get(key):
            raise ValueError(f"it has {key} = {document[key]}")
    rows = document.get("added_tokens") or []
    said = {row["content"]: row["id"] for row in rows}
    vocab = document["model"]["vocab"]
    if isinstance(vocab, dict):
        given = numbered(vocab, [*said])
        wrong = [name for name in said if said[name] != given[name]]
        if wrong:
            raise ValueError(
                f"its added token {wrong[0]!r} has the id {said[wrong[0]]}, "
                "and Hugging Face's libraries give it "
                f"{given[wrong[0]]}, as it is not in the model's vocabulary "
                "and does not follow it"
            )
    special = {r["content"]: r["id"] for r in rows if r.get("special", True)}
    flags = Matching.__dataclass_fields__
    matching = {
        row["content"]: Matching(**{k: bool(row.get(k, False)) for k in flags})
        for row in rows
    }
    preparation = Preparation(
        normalizers=read_normalizers(document.get("normalizer")),
        added_tokens={n: i for n, i in said.items() if n not in special},
        matching={n: how for n, how in matching.items() if how != AS_SPELLED},
    )
    return {
        "special_tokens": special,
        "preparation": preparation,
        "frame": read_frame(document.get("post_processor"), said),
    }


def split_fields(document: Parts, kind: str) -> Parts:
    """The pattern, and what :func:`shared_fields` finds.

    Args:
        document: the content of the file.
        kind: the type that its model should have.

    Raises:
        ValueError: its model is another, or it does what the package does
            not.
    """
    model, rule = document["model"], document["pre_tokenizer"]
    if model["type"] != kind:
        raise ValueError(f"its model is {model['type']!r}, not {kind!r}")
    if not isinstance(rule, dict):
        raise ValueError(f"its pre_tokenizer is {rule}, not one Split")
    return {"pattern": pattern_of(rule)} | shared_fields(document)
