"""One call for every tokenizer that this package has a class for."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.interop.tokenizers.sentencepiece import from_sentencepiece
from scratchlm.text.subwords.character_bpe.tokenizer import (
    CharacterBPETokenizer,
)
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

# Files that a tokenizer lies in, the first that are there, and who reads the
# folder.
_READERS: Mapping[tuple[str, ...], Callable[[Path], SubwordTokenizer]] = (
    MappingProxyType(
        {
            (FILE,): lambda folder: family_of(folder).load(folder),
            ("vocab.json", "merges.txt"): lambda folder: from_gpt2_files(
                folder / "vocab.json", folder / "merges.txt"
            ),
            ("tokenizer.model",): lambda folder: from_sentencepiece(
                folder / "tokenizer.model"
            ),
        }
    )
)


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a file that ``load_tokenizer`` looks for."""
    return any(_are_in(folder, names) for names in _READERS)


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
    for names, read in _READERS.items():
        if _are_in(place, names):
            return read(place)
    others = ", ".join(" with ".join(names) for names in [*_READERS][1:])
    raise ValueError(
        f"there is no {place / FILE}, nor {others} beside it; give the folder "
        "that a tokenizer was saved into"
    )


def _are_in(folder: Path, names: tuple[str, ...]) -> bool:
    return all((folder / name).is_file() for name in names)


def family_of(folder: Path) -> type[SubwordTokenizer]:
    """The class for a folder with ``tokenizer.json``.

    BPE is on bytes where a step before it writes them as characters, and on
    characters elsewhere. Byte-level BPE too where the file does not say what
    it is; its loader tells what is wrong with such a file.
    """
    try:
        document = json.loads((folder / FILE).read_text("utf-8"))
        kind = document["model"]["type"]
        before = json.dumps(document.get("pre_tokenizer"))
        if kind == "BPE" and '"ByteLevel"' not in before:
            return CharacterBPETokenizer
        return FAMILIES[kind]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return BPETokenizer
