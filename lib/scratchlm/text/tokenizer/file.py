"""Tokenizers as Hugging Face's libraries keep them.

``tokenizer.json`` can say more than byte-level BPE does. What this package
does not do, it refuses to load, since to ignore it would give other ids.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from scratchlm.foundation.durable import write_whole
from scratchlm.text.tokenizer.patterns import CL100K, GPT2, find_pattern

Parts = dict[str, Any]
FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"

Result = TypeVar("Result")

# Hugging Face's library matches with Oniguruma, where `{1,3}+` repeats a
# repetition and `$` stands before every line end.
ONIGURUMA = {
    GPT2: GPT2.replace("$", r"\z"),
    CL100K: CL100K.replace("$", r"\z").replace("{1,3}+", "{1,3}"),
}
FROM_ONIGURUMA = {theirs: ours for ours, theirs in ONIGURUMA.items()}


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
    special_tokens: Mapping[str, int],
    pre_tokenizer: Parts,
    decoder: Parts,
    model: Parts,
) -> Parts:
    """A tokenizer that leaves text as it is, as the file holds it.

    Args:
        special_tokens: the id of each.
        pre_tokenizer: cuts text into pieces.
        decoder: joins what the tokens spell.
        model: spells a piece.
    """
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": i,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for name, i in special_tokens.items()
        ],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def special_of(document: Parts) -> dict[str, int]:
    """The special tokens of a document that does not normalise text.

    Raises:
        ValueError: it has a normaliser, or a special token that takes more
            than its own spelling.
    """
    if document.get("normalizer"):
        raise ValueError(f"it has the normalizer {document['normalizer']}")
    special = {}
    for added in document.get("added_tokens") or ():
        special[added["content"]] = added["id"]
        for key in ("lstrip", "rstrip", "single_word"):
            if added.get(key):
                raise ValueError(f"{added['content']!r} has {key} set")
    return special


def split_rule(pattern: str) -> Parts:
    """The pre-tokenizer that cuts text at a pattern's pieces.

    Args:
        pattern: a name or a regular expression, as a tokenizer takes it.
    """
    expression = find_pattern(pattern).expression
    return {
        "type": "Split",
        "pattern": {"Regex": ONIGURUMA.get(expression, expression)},
        "behavior": "Isolated",
        "invert": False,
    }


def pattern_of(split: Parts) -> str:
    """The pattern of a pre-tokenizer that cuts text at pieces.

    Raises:
        ValueError: it does something else.
    """
    if split["behavior"] != "Isolated" or split.get("invert"):
        raise ValueError(f"its pre-tokenizer splits as {split}")
    expression = split["pattern"]["Regex"]
    return find_pattern(FROM_ONIGURUMA.get(expression, expression)).name


def split_fields(document: Parts, kind: str) -> Parts:
    """The pattern and the special tokens of a document with one split.

    Args:
        document: the content of the file.
        kind: the type that its model should have.

    Raises:
        ValueError: its model is another, or it does more to text than cut
            it.
    """
    model, rule = document["model"], document["pre_tokenizer"]
    if model["type"] != kind:
        raise ValueError(f"its model is {model['type']!r}, not {kind!r}")
    if not isinstance(rule, dict) or rule["type"] != "Split":
        raise ValueError(f"its pre-tokenizer is {rule}, not one Split")
    special = special_of(document)
    return {"pattern": pattern_of(rule), "special_tokens": special}
