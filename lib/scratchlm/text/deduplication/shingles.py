"""Texts to sets of hashed shingles.

A shingle is a run of words (or characters). A whole batch of texts is hashed
on arrays, without a step of Python for a word; the hashes depend on the text
alone, on no process, platform or neighbour in the batch.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import regex
from jaxtyping import Bool, Int64, UInt8, UInt64

from scratchlm.foundation.arguments import one_of
from scratchlm.foundation.arrays import spans
from scratchlm.foundation.bits import spread

Unit: TypeAlias = Literal["words", "characters"]
Hashes: TypeAlias = UInt64[np.ndarray, "_"]
Offsets: TypeAlias = Int64[np.ndarray, "_"]

# Odd numbers without a pattern, which make multiplication a bijection of the
# 64-bit words (the first is 2**64 over the golden ratio).
_LENGTH = np.uint64(0x9E3779B97F4A7C15)
_WORD = np.uint64(0xC2B2AE3D27D4EB4F)
_NEXT = np.uint64(0xD6E8FEB86659FD93)
_LONG = 32  # bytes; longer words are rare, and go through blake2b one by one
_SPACE = 0x20


class Shingles(NamedTuple):
    """The shingles of several texts, one after another.

    Args:
        hashes: of every place, so that a repeated shingle stands repeatedly.
        offsets: where each text begins in ``hashes`` and, last, the end.
    """

    hashes: Hashes
    offsets: Offsets


def shingle(
    texts: Sequence[str], size: int = 5, unit: str = "words"
) -> Shingles:
    """Hash every run of ``size`` words or characters of each text.

    Case, punctuation, spacing and the two ways to write an accent make no
    difference: a word is a run of letters, marks and digits, in lower case.
    Between words, characters count one space.

    Args:
        texts: the documents; no shingle crosses from one into the next.
        size: how many units a shingle has. A text with fewer, but at least
            one, is a single shingle; a text with none has none.
        unit: ``characters`` for scripts that put no space between words.

    Raises:
        ValueError: the size is below 1, or the unit is unknown.

    Source: Broder 1997, "On the Resemblance and Containment of Documents",
    section 2.
    """
    if size < 1:
        raise ValueError(f"a shingle of {size} units is none; give 1 or more")
    return _windows(*unit_hashes(texts, unit), size)


def unit_hashes(
    texts: Sequence[str], unit: str = "words"
) -> tuple[Hashes, Offsets]:
    """Hash each word or character, with the offsets of each text.

    Raises:
        ValueError: the unit is unknown.
    """
    one_of("unit", unit, get_args(Unit))
    plain = [_plain(text) for text in texts]
    lengths = np.fromiter(map(len, plain), np.int64, len(plain))
    padding = b" " * 8  # a word at the end is read eight bytes at a time
    joined = b" " + b" ".join(plain) + b" " + padding
    codes = np.frombuffer(joined, np.uint8)
    starts, ends = _words(codes[: -len(padding)])
    # Text i begins behind the leading space, its texts and their spaces.
    begins = np.append(1, 1 + np.cumsum(lengths + 1))
    offsets = np.searchsorted(starts, begins).astype(np.int64)
    if unit == "words":
        return _hash_words(joined, starts, ends), offsets
    return _spelling(joined, starts, ends, offsets)


def _plain(text: str) -> bytes:
    """Lower case; outside ASCII only letters, marks and digits remain."""
    if text.isascii():
        return text.lower().encode()
    text = unicodedata.normalize("NFC", text.lower())
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    kept = np.where(_in_words().take(codes), codes, _SPACE).astype("<u4")
    return kept.tobytes().decode("utf-32-le").encode()


def _words(
    codes: UInt8[np.ndarray, "n_bytes"],
) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """Where words begin and end in text that begins and ends with space."""
    in_word = _word_bytes().take(codes)
    edges = np.flatnonzero(in_word[1:] != in_word[:-1]) + 1
    return edges[::2], edges[1::2]


def _hash_words(
    joined: bytes,
    starts: Int64[np.ndarray, "n"],
    ends: Int64[np.ndarray, "n"],
) -> Hashes:
    """Read each word eight bytes at a time, all words together."""
    eights: Hashes = np.ndarray(
        (len(joined) - 7,), "<u8", buffer=joined, strides=(1,)
    )
    lengths = ends - starts
    hashes = lengths.astype(np.uint64) * _LENGTH
    hashes = _absorb(hashes, eights[starts], lengths)
    for read in range(8, _LONG, 8):
        at = np.flatnonzero(lengths > read)
        part = eights[starts[at] + read]
        hashes[at] = _absorb(hashes[at], part, lengths[at] - read)
    for i in np.flatnonzero(lengths > _LONG):
        word = joined[starts[i] : ends[i]]
        digest = hashlib.blake2b(word, digest_size=8).digest()
        hashes[i] = int.from_bytes(digest, "little")
    return hashes


def _absorb(
    hashes: Hashes, part: Hashes, lengths: Int64[np.ndarray, "_"]
) -> Hashes:
    """Mix the next eight bytes into each hash, or what is left of them."""
    masked: Hashes = part & _MASKS.take(lengths, mode="clip")
    masked ^= hashes
    masked *= _WORD
    masked ^= masked >> np.uint64(29)
    return masked


_MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)


def _spelling(
    joined: bytes,
    starts: Int64[np.ndarray, "n"],
    ends: Int64[np.ndarray, "n"],
    offsets: Offsets,
) -> tuple[Hashes, Offsets]:
    """The characters of each text, with one space between two words."""
    words = [
        joined[start:end]
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    texts = [
        b" ".join(words[a:b]).decode() for a, b in pairwise(offsets.tolist())
    ]
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4")
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return (
        spread(codes.astype(np.uint64) + _LENGTH),
        np.append(0, np.cumsum(lengths)).astype(np.int64),
    )


def _windows(units: Hashes, offsets: Offsets, size: int) -> Shingles:
    """Combine each run of units that lies within one text."""
    counts = np.diff(offsets)
    short = (counts > 0) & (counts < size)
    if short.any():
        units, offsets = _padded(units, offsets, np.where(short, size, counts))
        counts = np.diff(offsets)
    n_windows = max(len(units) - size + 1, 0)
    inside = np.ones(len(units), bool)
    ends = offsets[1:][counts > 0]
    for back in range(1, size):
        inside[ends - back] = False
    hashes = units[:n_windows].copy()
    for step in range(1, size):
        hashes *= _NEXT
        hashes += units[step : n_windows + step]
    hashes = spread(hashes[inside[:n_windows]])
    counts = np.where(counts > 0, counts - size + 1, 0)
    return Shingles(hashes, np.append(0, np.cumsum(counts)).astype(np.int64))


def _padded(
    units: Hashes, offsets: Offsets, counts: Int64[np.ndarray, "n_docs"]
) -> tuple[Hashes, Offsets]:
    """Give each text its new number of units, with zeros at its end."""
    wider = np.append(0, np.cumsum(counts)).astype(np.int64)
    padded = np.zeros(wider[-1], np.uint64)
    padded[spans(wider[:-1], np.diff(offsets))] = units
    return padded, wider


@cache
def _word_bytes() -> Bool[np.ndarray, "256"]:
    """Whether a byte is part of a word; beyond ASCII ``_plain`` saw to it."""
    signs = bytes(range(128)).decode()
    return np.array([c.isalnum() for c in signs] + [True] * 128)


@cache
def _in_words() -> Bool[np.ndarray, "1114112"]:
    table = np.zeros(0x110000, bool)
    every = "".join(map(chr, range(0x110000)))
    for run in regex.finditer(r"[\p{L}\p{M}\p{N}]+", every):
        table[run.start() : run.end()] = True
    return table
