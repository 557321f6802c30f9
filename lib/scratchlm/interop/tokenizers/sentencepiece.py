"""Unigram models as sentencepiece keeps them.

sentencepiece writes a space as U+2581 and can normalise text before it
segments. This package takes models that leave the text as it is.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer

SPACE_MARK = "\u2581"
# The whole text is one piece: sentencepiece cuts nothing before it segments.
WHOLE = r"[\s\S]+"


def from_sentencepiece(path: str | Path) -> UnigramTokenizer:
    """Read a unigram model that sentencepiece trained; ids stay.

    Args:
        path: its ``.model`` file.

    Raises:
        ValueError: the file is missing or no such model, or it changes the
            text before it segments, which this package does not; or
            sentencepiece is not installed.
    """
    path = Path(path)
    try:
        proto = import_module("sentencepiece.sentencepiece_model_pb2")
        messages = import_module("google.protobuf.message")
    except ImportError as error:
        raise ValueError(
            f"reading {path} needs sentencepiece and protobuf ({error}): "
            'pip install "scratchlm[book]"'
        ) from error
    model = proto.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, messages.DecodeError) as error:
        raise ValueError(
            f"cannot read {path}: {error}; give the .model file that "
            "sentencepiece wrote"
        ) from error
    try:
        _refuse(model)
        return UnigramTokenizer(**_fields(model))
    except ValueError as error:
        raise ValueError(
            f"{path} is not a model that this package can load: {error}; use "
            "sentencepiece for it"
        ) from error


def _refuse(model: Any) -> None:
    """Raise where the model does more than segment."""
    kind, rules = model.trainer_spec, model.normalizer_spec
    if not model.pieces:
        raise ValueError("it has no tokens")
    if kind.model_type != kind.UNIGRAM:
        raise ValueError(f"its model_type is {kind.model_type}, not unigram")
    if rules.precompiled_charsmap:
        raise ValueError(
            f"it normalises text by {rules.name!r}, not 'identity'"
        )
    for name in ("add_dummy_prefix", "remove_extra_whitespaces"):
        if getattr(rules, name):
            raise ValueError(f"it has {name} set")
    if kind.treat_whitespace_as_suffix or not rules.escape_whitespaces:
        raise ValueError("it treats spaces in its own way")


def _fields(model: Any) -> dict[str, Any]:
    scores: dict[str, float] = {}
    vocab: dict[str, int] = {}
    special: dict[str, int] = {}
    byte_ids: dict[str, int] = {}
    unknown = None
    for i, token in enumerate(model.pieces):
        text = token.piece.replace(SPACE_MARK, " ")
        if token.type == token.NORMAL:
            scores[text], vocab[text] = token.score, i
        elif token.type == token.BYTE:
            byte_ids[token.piece] = i
        elif token.type == token.UNKNOWN:
            unknown = i
        elif token.type == token.CONTROL:
            special[token.piece] = i
        else:
            raise ValueError(
                f"its token {token.piece!r} has a type of its own"
            )
    return {
        "pattern": WHOLE,
        "scores": scores,
        "vocab": vocab,
        "byte_ids": tuple(byte_ids[name] for name in sorted(byte_ids)),
        "unknown_id": unknown,
        "single_precision": True,
        "special_tokens": special,
    }
