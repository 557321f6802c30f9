"""Copies that are equal, by document and by line."""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt64

from scratchlm.foundation.arguments import not_one_string

_LOWER = bytes(range(256)).lower()
_WHITE_SPACE = bytes(code for code in range(128) if chr(code).isspace())


def normalise(text: str) -> bytes:
    """Drop white space and case, and compose accents; the rest is UTF-8."""
    if text.isascii():
        return text.encode().translate(_LOWER, _WHITE_SPACE)
    composed = unicodedata.normalize("NFC", text.lower())
    return "".join(composed.split()).encode("utf-8", "surrogatepass")


def text_key(text: str) -> int:
    """64 bits of blake2b of the normalised text.

    Of n texts that differ, two get one key with a probability of about
    n**2 / 2**65: one in 37 for a billion.

    Source: RFC 7693.
    """
    digest = hashlib.blake2b(normalise(text), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def exact_keys(texts: Sequence[str]) -> UInt64[np.ndarray, "n_docs"]:
    """The key of each text; equal where the normalised texts are."""
    return np.fromiter(map(text_key, texts), np.uint64, len(texts))


class LinesDropped(NamedTuple):
    """A text without the lines that stood before, and how many those were."""

    text: str
    n_dropped: int


def drop_repeated_lines(
    texts: Iterable[str], min_characters: int = 40
) -> Iterator[LinesDropped]:
    """Keep each line of a corpus where it stands first.

    Holds 8 bytes of hash, about 70 with Python's set around them, for each
    distinct line. Lines are compared normalised, and kept as they are.

    Args:
        texts: the documents, read as they are needed.
        min_characters: shorter lines always stay, for ``else:`` and a blank
            line recur because they have to.

    Returns:
        One text for each, in order; empty where no line is left.

    Raises:
        ValueError: ``texts`` is one string, or ``min_characters`` below 0.
    """
    not_one_string(texts)
    if min_characters < 0:
        raise ValueError(
            f"min_characters is {min_characters}; give 0 to compare all lines"
        )
    return _without_repeats(texts, min_characters)


def _without_repeats(
    texts: Iterable[str], min_characters: int
) -> Iterator[LinesDropped]:
    seen: set[int] = set()
    for text in texts:
        lines = text.split("\n")
        kept = []
        for line in lines:
            if len(line.strip()) >= max(min_characters, 1):
                key = text_key(line)
                if key in seen:
                    continue
                seen.add(key)
            kept.append(line)
        yield LinesDropped("\n".join(kept), len(lines) - len(kept))
