"""Models as sentencepiece keeps them, of both kinds.

=====================  ==============================  ===================
family                 model                           what it does first
=====================  ==============================  ===================
Llama 2, Mistral 0.1   BPE, bytes for unknown ones     one space before
Gemma                  BPE, bytes, symbols for spaces  nothing
T5, XLM-R              Unigram, an unknown token       NMT's NFKC, spaces
=====================  ==============================  ===================

The ``tokenizer.json`` that is published beside such a model gives other ids
for some texts. This function agrees with sentencepiece (compared: 0.2.3), and
:func:`scratchlm.interop.hf.models.load`, which reads the other file, with
``tokenizers`` (compared: 0.23.3, on files of transformers 5.24.0).

===================  ======================  ===========================
text                 sentencepiece           tokenizer.json
===================  ======================  ===========================
a mark after a       the longest rule of     the shortest rule at each
character            the normalisation       combined character
equal scores         sums kept in single     sums in double precision
                     precision
behind a special     no such token in text;  "first": no space is added;
token                here, a new text        "always" and Prepend: one is
text with U+2581     one more space before   Metaspace adds none
at its beginning
white space (T5)     runs of U+0020 become   any white space cuts, and
                     one                     goes
BPE, one token of    the leftmost pair       the pair that the file lists
two pairs            merges                  first merges
===================  ======================  ===========================
"""

from ctypes import c_float
from importlib import import_module
from pathlib import Path
from typing import Any

from scratchlm.text.subwords.character_bpe.file import piece_pattern
from scratchlm.text.subwords.character_bpe.merging import ScoredMerges
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.preparation.file import WHOLE
from scratchlm.text.subwords.preparation.joining import (
    BYTE_NAMES,
    SentencePieceJoining,
)
from scratchlm.text.subwords.preparation.sentencepiece import SentencePieceText
from scratchlm.text.subwords.unigram.lattice import UNKNOWN_PENALTY
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer


def from_sentencepiece(
    path: str | Path,
) -> UnigramTokenizer | CharacterBPETokenizer:
    """Read a model that sentencepiece trained; ids stay.

    Args:
        path: its ``.model`` file, of the type unigram or BPE.

    Raises:
        ValueError: the file is missing or no such model, or it does what
            this package does not; or sentencepiece is not installed.
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
        return _tokenizer(model)
    except ValueError as error:
        raise ValueError(
            f"{path} is not a model that this package can load: {error}; use "
            "sentencepiece for it"
        ) from error


def _tokenizer(model: Any) -> UnigramTokenizer | CharacterBPETokenizer:
    kind = model.trainer_spec
    _refuse(model)
    parts: dict[str, Any] = {
        "special_tokens": _ids(model, "CONTROL"),
        "rewriting": _rewriting(model),
        "joining": _joining(model),
    }
    if kind.model_type == kind.UNIGRAM:
        return UnigramTokenizer(**parts, **_unigram_fields(model))
    return CharacterBPETokenizer(**parts, **_bpe_fields(model))


def _refuse(model: Any) -> None:
    """Raise where the model is broken, or does what no class here does."""
    kind = model.trainer_spec
    if not model.pieces:
        raise ValueError("it has no tokens")
    if kind.model_type not in (kind.UNIGRAM, kind.BPE):
        raise ValueError(
            f"its model_type is {kind.model_type}, not unigram or bpe"
        )
    if model.denormalizer_spec.precompiled_charsmap:
        raise ValueError("it changes the text that its tokens spell")
    names = [token.piece for token in model.pieces]
    if len(set(names)) < len(names):
        raise ValueError("two of its tokens are the same")
    if len(_ids(model, "UNKNOWN")) != 1:
        raise ValueError("it needs one unknown token")
    odd = [name for name in _ids(model, "CONTROL") if len(name) == 1]
    if odd:
        raise ValueError(
            f"its control symbol {odd[0]!r} is one character, which text "
            "would be taken for"
        )
    missing = BYTE_NAMES.keys() - _ids(model, "BYTE").keys()
    if kind.byte_fallback and missing:
        raise ValueError(f"it lacks the byte {min(missing)}")


def _ids(model: Any, *types: str) -> dict[str, int]:
    """The id of each token of some types."""
    wanted = {getattr(model.SentencePiece, name) for name in types}
    return {
        token.piece: i
        for i, token in enumerate(model.pieces)
        if token.type in wanted
    }


def _rewriting(model: Any) -> SentencePieceText:
    rules = model.normalizer_spec
    return SentencePieceText(
        charsmap=rules.precompiled_charsmap,
        dummy_prefix=rules.add_dummy_prefix,
        drop_extra=rules.remove_extra_whitespaces,
        mark_spaces=rules.escape_whitespaces,
        as_suffix=model.trainer_spec.treat_whitespace_as_suffix,
        symbols=frozenset(_ids(model, "USER_DEFINED")),
    )


def _joining(model: Any) -> SentencePieceJoining:
    kind, rules = model.trainer_spec, model.normalizer_spec
    return SentencePieceJoining(
        unknown=next(iter(_ids(model, "UNKNOWN"))),
        surface=kind.unk_surface,
        control=frozenset(_ids(model, "CONTROL")),
        dummy_prefix=rules.add_dummy_prefix,
        drop_extra=rules.remove_extra_whitespaces,
        byte_fallback=kind.byte_fallback,
    )


def _scores(model: Any) -> dict[str, float]:
    normal = model.SentencePiece.NORMAL
    return {t.piece: t.score for t in model.pieces if t.type == normal}


def _vocab(model: Any) -> dict[str, int]:
    kinds = "NORMAL", "USER_DEFINED", "UNUSED", "UNKNOWN", "BYTE"
    return _ids(model, *kinds)


def _unigram_fields(model: Any) -> dict[str, Any]:
    scores = _scores(model)
    # More than any token's score, so that a user-defined symbol wins; the
    # number is sentencepiece 0.2.3's. Older releases take -0.1 for all.
    symbols = {
        name: c_float(0.1 * (len(name.encode()) - 1)).value
        for name in _ids(model, "USER_DEFINED")
    }
    byte_ids = _ids(model, "BYTE")
    return {
        "pattern": WHOLE,
        "scores": scores | symbols,
        "vocab": _vocab(model),
        "byte_ids": tuple(byte_ids[n] for n in BYTE_NAMES if n in byte_ids),
        "unknown_id": next(iter(_ids(model, "UNKNOWN").values())),
        "unknown_score": c_float(min(scores.values()) - UNKNOWN_PENALTY).value,
        "single_precision": True,
    }


def _bpe_fields(model: Any) -> dict[str, Any]:
    unused = _ids(model, "UNUSED")
    scores = _scores(model) | {
        token.piece: token.score
        for token in model.pieces
        if token.piece in unused
    }
    merges = ScoredMerges(
        scores=scores,
        symbols=frozenset(_ids(model, "USER_DEFINED")),
        unused=frozenset(unused),
    )
    vocab = _vocab(model)
    return {
        "pattern": piece_pattern(merges.made, vocab),
        "vocab": vocab,
        "merges": merges,
        "byte_fallback": model.trainer_spec.byte_fallback,
        "unknown": next(iter(_ids(model, "UNKNOWN"))),
    }
