"""One call for every tokenizer that this package has a class for."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.interop.tokenizers.sentencepiece import from_sentencepiece
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.file import FILE

FAMILIES: Mapping[str, type[SubwordTokenizer]] = MappingProxyType(
    {
        "BPE": BPETokenizer,
        "WordPiece": WordPieceTokenizer,
        "Unigram": UnigramTokenizer,
    }
)

# Files that a tokenizer may lie in, the first that is there, and who reads
# the folder.
_READERS: Mapping[str, Callable[[Path], SubwordTokenizer]] = MappingProxyType(
    {
        FILE: lambda folder: family_of(folder).load(folder),
        "merges.txt": lambda folder: from_gpt2_files(
            folder / "vocab.json", folder / "merges.txt"
        ),
        "tokenizer.model": lambda folder: from_sentencepiece(
            folder / "tokenizer.model"
        ),
    }
)


def load_tokenizer(place: str | Path) -> SubwordTokenizer:
    """Load a tokenizer of any family.

    Args:
        place: a folder with ``tokenizer.json``, with GPT-2's ``vocab.json``
            and ``merges.txt``, or with ``tokenizer.model``; or a file
            ``.model`` that sentencepiece wrote.

    Raises:
        ValueError: there is none, a file is corrupt, or it does what no
            tokenizer of this package does.
    """
    place = Path(place)
    if place.is_file():
        if place.name == FILE:
            return load_tokenizer(place.parent)
        return from_sentencepiece(place)
    for name, read in _READERS.items():
        if (place / name).is_file():
            return read(place)
    raise ValueError(
        f"there is no {place / FILE}, nor {', '.join([*_READERS][1:])} beside "
        "it; give the folder that a tokenizer was saved into"
    )


def family_of(folder: Path) -> type[SubwordTokenizer]:
    """The class for a folder with ``tokenizer.json``.

    Byte-level BPE where the file does not say; its loader tells what is
    wrong with such a file.
    """
    try:
        model = json.loads((folder / FILE).read_text("utf-8"))["model"]
        return FAMILIES[model["type"]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return BPETokenizer
