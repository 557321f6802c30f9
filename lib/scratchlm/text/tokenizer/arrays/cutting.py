"""The named patterns without an engine.

A piece begins where the class of the characters changes, but for a few rules
that look at one neighbour, at the ends of a run, or at an apostrophe. Each is
a comparison of a whole text with itself, shifted by one. This module holds
what the patterns share, and GPT-2's;
:mod:`scratchlm.text.tokenizer.arrays.lines` has the two later ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import regex
from jaxtyping import Bool, Int, UInt8

from scratchlm.text.tokenizer.patterns import SPACE as SPACES

# Whether a piece begins at each of N bytes and, last, at the end.
Begins: TypeAlias = Bool[np.ndarray, "n_and_one"]
Flags: TypeAlias = Bool[np.ndarray, "_"]
Places: TypeAlias = Int[np.ndarray, "_"]
Definitions: TypeAlias = tuple[tuple[int, str], ...]

OTHER, DIGIT, SPACE, LINE_END, LETTER, UPPER, ODD = range(7)

_GPT2 = ((LETTER, r"\p{L}+"), (DIGIT, r"\p{N}+"), (SPACE, f"[{SPACES}]+"))
_WIDE = (0x80, 0x800, 0x10000)  # code points from which UTF-8 takes one more


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A text in UTF-8, and the class of each byte's character.

    Args:
        letters: (N,) the bytes.
        kind: (N,) the classes; all bytes of a character have its class.
        first: where each character of several bytes begins.
        last: where it ends.
    """

    letters: UInt8[np.ndarray, "n"]
    kind: UInt8[np.ndarray, "n"]
    first: Places
    last: Places

    def changes(self) -> Begins:
        """Where the class changes, and both ends of the text."""
        return edges(self.kind)

    def on_last(self, flags: Flags) -> Flags:
        """What holds for a character's first byte, moved to its last."""
        moved = flags.copy()
        moved[self.last] = flags[self.first]
        return moved

    def on_first(self, flags: Flags) -> Flags:
        """What holds for a character's last byte, moved to its first."""
        moved = flags.copy()
        moved[self.last] = False
        moved[self.first] = flags[self.last]
        return moved


def cut(data: bytes, rule: Callable[[bytes], Begins]) -> Places:
    """Cut a text into pieces.

    Args:
        data: the text in UTF-8.
        rule: says where pieces begin.

    Returns:
        Where each piece begins and, last, where the text ends, in bytes.
    """
    return np.flatnonzero(rule(data)) if data else np.zeros(1, np.int64)


def begins_gpt2(data: bytes) -> Begins:
    """Where the pieces of GPT-2's pattern begin."""
    text = classify(data, _GPT2)
    space = text.kind == SPACE
    begins = text.changes()
    begins[1:-1] &= (text.letters[:-1] != ord(" ")) | space[1:]
    last = np.append(space[:-1] & ~space[1:], False)
    begins[:-1] |= text.on_first(last)  # a run gives its last space back
    cut_contractions(text.letters, begins, any_case=False)
    return begins


def classify(data: bytes, definitions: Definitions) -> Classified:
    """Find the class of each character.

    Args:
        data: text in UTF-8.
        definitions: a class, and an expression that matches runs of its
            characters; of two that match, the later counts. The patterns'
            own engine answers.
    """
    letters = np.frombuffer(data, np.uint8)
    table = _class_table(definitions, 0x80).tobytes().ljust(0x100, b"\0")
    kind = np.frombuffer(data.translate(table), np.uint8)
    nowhere = np.zeros(0, np.int64)
    if data.isascii():
        return Classified(
            letters=letters, kind=kind, first=nowhere, last=nowhere
        )
    wide = data.translate(None, bytes(range(0x80))).decode()
    codes = np.frombuffer(wide.encode("utf-32-le"), "<u4")
    first = np.flatnonzero(letters >= 0b1100_0000)
    last, kind = first.copy(), kind.copy()
    beyond = min(1 << int(codes.max()).bit_length(), 0x110000)
    kind[first] = found = _class_table(definitions, beyond)[codes]
    for point in _WIDE:
        more = codes >= point
        last[more] += 1
        kind[last[more]] = found[more]
    return Classified(letters=letters, kind=kind, first=first, last=last)


@cache
def _class_table(
    definitions: Definitions, size: int
) -> UInt8[np.ndarray, "size"]:
    every = "".join(map(chr, range(size)))
    table = np.full(size, OTHER, np.uint8)
    for number, expression in definitions:
        for run in regex.finditer(expression, every):
            table[run.start() : run.end()] = number
    return table


def edges(values: UInt8[np.ndarray, "n"] | Bool[np.ndarray, "n"]) -> Begins:
    """Where values change, and both ends."""
    found = np.ones(len(values) + 1, bool)
    np.not_equal(values[1:], values[:-1], out=found[1:-1])
    return found


def cut_contractions(
    letters: UInt8[np.ndarray, "n"], begins: Begins, any_case: bool
) -> None:
    """A piece that begins with an apostrophe may be a contraction."""
    at = np.flatnonzero(letters == ord("'"))
    at = at[begins[at]]
    ends = contractions(letters, at, any_case)
    short = ends > at
    begins[at[short] + 1] = False
    begins[ends] = True


def contractions(
    letters: UInt8[np.ndarray, "n"], at: Places, any_case: bool
) -> Places:
    """The end of the contraction at each apostrophe.

    Args:
        letters: text in UTF-8.
        at: where apostrophes stand.
        any_case: whether upper case counts.

    Returns:
        Where it ends, or ``at`` where there is none.
    """
    behind = np.append(letters, np.zeros(2, np.uint8))
    first, second = behind[at + 1], behind[at + 2]
    if any_case:
        first, second = _lower(first), _lower(second)
    double = np.zeros(len(at), bool)
    for one, two in (b"ll", b"ve", b"re"):
        double |= (first == one) & (second == two)
    single = np.isin(first, [*b"sdmt"])
    ends: Places = at + 2 * single + 3 * double
    return ends


def _lower(letters: UInt8[np.ndarray, "n"]) -> UInt8[np.ndarray, "n"]:
    upper = (letters >= ord("A")) & (letters <= ord("Z"))
    return np.where(upper, letters | np.uint8(0x20), letters)
