"""The tokenizer that is published with a model."""

import json
import warnings
from pathlib import Path
from typing import Any

from scratchlm.interop.files import read_settings
from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.file import FILE

_KINDS: dict[str, type[SubwordTokenizer]] = {
    "BPE": BPETokenizer,
    "WordPiece": WordPieceTokenizer,
    "Unigram": UnigramTokenizer,
}
_GPT2_FILES = "vocab.json", "merges.txt"


def read_tokenizer(folder: Path) -> SubwordTokenizer | None:
    """Return the tokenizer that lies beside a model.

    Args:
        folder: holds ``tokenizer.json``, or GPT-2's two files.

    Returns:
        None if there is none, or one that does what no tokenizer of this
        package does; then a warning says what, and the model is as good.

    Raises:
        ValueError: a file is corrupt.
    """
    if (folder / FILE).is_file():
        document = read_settings(folder / FILE)
        try:
            return _family(document).load(folder)
        except ValueError as error:
            warnings.warn(str(error), stacklevel=3)
            return None
    if all((folder / name).is_file() for name in _GPT2_FILES):
        return from_gpt2_files(*(folder / n for n in _GPT2_FILES))
    return None


def _family(document: dict[str, Any]) -> type[SubwordTokenizer]:
    """The class for a file: by its model, and by what BPE begins with."""
    model = document.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    # The alphabet of bytes is not the model's, but that of a step before.
    on_bytes = '"ByteLevel"' in json.dumps(document.get("pre_tokenizer"))
    if kind == "BPE" and not on_bytes:
        return CharacterBPETokenizer
    return _KINDS.get(str(kind), BPETokenizer)
