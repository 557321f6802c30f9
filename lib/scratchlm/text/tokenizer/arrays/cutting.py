"""The named patterns without an engine.

A piece begins where the class of the characters changes, but for a few rules
that look at one neighbour, at the ends of a run, or at an apostrophe. Each is
a comparison of a whole text with itself, shifted by one.

cl100k and o200k differ from GPT-2's pattern in four ways: digits go in
threes, one sign or space joins the letters after it, line ends join the signs
or the space before them, and o200k cuts between a small and a capital letter.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import numpy as np
import regex
from jaxtyping import Bool, UInt8

from scratchlm.foundation.arrays import Flags, Numbers, spans
from scratchlm.text.tokenizer.patterns import PATTERNS, WHITE_SPACE

# Whether a piece begins at each of N bytes and, last, at the end.
Begins: TypeAlias = Bool[np.ndarray, "n_and_one"]
Definitions: TypeAlias = tuple[tuple[int, str], ...]

OTHER, DIGIT, SPACE, LINE_END, LETTER, UPPER, ODD = range(7)

_GPT2 = ((LETTER, r"\p{L}+"), (DIGIT, r"\p{N}+"), (SPACE, f"[{WHITE_SPACE}]+"))
_CL100K = (
    (LETTER, r"\p{L}+"),
    (DIGIT, r"\p{N}+"),
    (SPACE, f"[{WHITE_SPACE}]+"),
    (LINE_END, r"[\r\n]+"),
    # Digits of several bytes, of which three are not three bytes; and the
    # long s of old print, which ends a contraction where case is no matter.
    (ODD, r"(?![0-9])\p{N}|ſ"),
)
# Letters without case, and marks, which o200k takes for either case.
_O200K = (
    *_CL100K,
    (UPPER, r"\p{Lu}+"),
    (ODD, r"[\p{Lt}\p{Lm}\p{Lo}\p{M}]+"),
)
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
    first: Numbers
    last: Numbers

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


def cut(data: bytes, rule: Callable[[bytes], Begins]) -> Numbers:
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


def begins_cl100k(data: bytes) -> Begins:
    """Where the pieces of cl100k's pattern begin.

    Where comparisons of neighbours do not suffice, the pattern itself cuts.
    """
    text = classify(data, _CL100K)
    begins = text.changes()
    _join_words(text, begins)
    _cut_threes(text.kind, begins)
    _cut_lines(text, begins, end_joins=True)
    cut_contractions(text.letters, begins, any_case=True)
    _cut_again("cl100k", data, text, begins, text.kind == ODD)
    return begins


def begins_o200k(data: bytes) -> Begins:
    """Where the pieces of o200k's pattern begin.

    Where comparisons of neighbours do not suffice, the pattern itself cuts.
    """
    exact = classify(data, _O200K)
    odd = exact.kind == ODD
    text = replace(exact, kind=np.minimum(exact.kind, LETTER))
    begins = text.changes()
    begins[1:-1] |= (exact.kind[1:] == UPPER) & (exact.kind[:-1] == LETTER)
    _join_words(text, begins)
    _cut_threes(text.kind, begins)
    _cut_lines(text, begins, end_joins=False)
    odd[_join_contractions(text, begins)] = True
    slash = text.letters[1:] == ord("/")
    odd[1:] |= slash & (text.kind[:-1] == LINE_END)
    _cut_again("o200k", data, text, begins, odd)
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
    letters: UInt8[np.ndarray, "n"], at: Numbers, any_case: bool
) -> Numbers:
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
    ends: Numbers = at + 2 * single + 3 * double
    return ends


def _lower(letters: UInt8[np.ndarray, "n"]) -> UInt8[np.ndarray, "n"]:
    upper = (letters >= ord("A")) & (letters <= ord("Z"))
    return np.where(upper, letters | np.uint8(0x20), letters)


RULES = {
    "gpt2": begins_gpt2,
    "cl100k": begins_cl100k,
    "o200k": begins_o200k,
}


def _join_words(text: Classified, begins: Begins) -> None:
    """A space joins signs, and a sign or space by itself joins letters."""
    sign = text.kind == OTHER
    begins[1:-1] &= ~(sign[1:] & (text.letters[:-1] == ord(" ")))
    joins = text.on_last(sign & begins[:-1])
    joins |= text.kind == SPACE
    begins[1:-1] &= ~((text.kind[1:] == LETTER) & joins[:-1])


def _cut_threes(kind: UInt8[np.ndarray, "n"], begins: Begins) -> None:
    first, end = _runs(kind == DIGIT)
    size = end - first
    begins[spans(first, size)] = spans(0 * size, size) % 3 == 0


def _cut_lines(text: Classified, begins: Begins, end_joins: bool) -> None:
    """Line ends join the signs or the space before them.

    Args:
        text: the text.
        begins: what to mend.
        end_joins: whether space at the end of the text joins line ends
            before it, as if one more line end followed.
    """
    space, line_end = text.kind == SPACE, text.kind == LINE_END
    takes = space | (text.kind == OTHER)
    begins[1:-1] &= ~(line_end[1:] & takes[:-1])
    last = np.append(space[:-1] & ~(space[1:] | line_end[1:]), False)
    begins[:-1] |= text.on_first(last)  # a run gives its last space back

    # Space between line ends joins both, unless signs took the first.
    last = np.flatnonzero(space & np.append(line_end[1:], end_joins))
    first = _run_starts(space, last)
    first = first[np.append(line_end, False)[first - 1]]
    before = _run_starts(line_end, first - 1) - 1
    taken = np.append(text.kind, LETTER)[before] == OTHER
    begins[first[~taken]] = False


def _join_contractions(text: Classified, begins: Begins) -> Numbers:
    """A contraction joins the letters before it.

    Returns:
        Where a contraction follows a contraction. Whether it joins depends
        on how many came before.
    """
    sign = text.letters[1:] == ord("'")
    at = np.flatnonzero(sign & (text.kind[:-1] == LETTER)) + 1
    ends = contractions(text.letters, at, any_case=True)
    at, ends = at[ends > at], ends[ends > at]
    begins[at] = begins[at + 1] = begins[ends - 1] = False
    begins[ends] = True
    return np.intersect1d(at, ends)


def _cut_again(
    name: str, data: bytes, text: Classified, begins: Begins, odd: Flags
) -> None:
    """Let the pattern cut around odd places, from one safe cut to another.

    Between S and " S" (S: not space) one piece ends and the next begins, and
    neither depends on the other side.
    """
    places = np.flatnonzero(odd)
    if not len(places):
        return
    filled = (text.kind != SPACE) & (text.kind != LINE_END)
    lone = filled[:-2] & (text.letters[1:-1] == ord(" ")) & filled[2:]
    safe = np.concatenate([[0], np.flatnonzero(lone) + 1, [len(data)]])
    stretch = np.unique(safe.searchsorted(places, "right"))
    apart = np.flatnonzero(np.diff(stretch, prepend=-1) > 1)
    last = np.append(apart[1:], len(stretch)) - 1
    bounds = safe[stretch[apart] - 1], safe[stretch[last]]
    for first, end in zip(*(each.tolist() for each in bounds), strict=True):
        pieces = PATTERNS[name].pieces(data[first:end].decode())
        sizes = [len(piece.encode()) for piece in pieces]
        begins[first:end] = False
        begins[first + np.cumsum([0, *sizes])] = True


def _run_starts(flags: Flags, at: Numbers) -> Numbers:
    """Where the run of true begins that holds each place."""
    starts = np.flatnonzero(flags & np.append(True, ~flags[:-1]))
    return starts[starts.searchsorted(at, "right") - 1]


def _runs(flags: Flags) -> tuple[Numbers, Numbers]:
    """Where runs of true begin, and where they end."""
    changed = edges(flags)
    changed[0], changed[-1] = flags[0], flags[-1]
    at = np.flatnonzero(changed)
    return at[::2], at[1::2]
