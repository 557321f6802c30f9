"""The patterns of cl100k and o200k on arrays.

They differ from GPT-2's in four ways: digits go in threes, one sign or space
joins the letters after it, line ends join the signs or the space before them,
and o200k cuts between a small and a capital letter.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from scratchlm.text.tokenizer.arrays.cutting import (
    DIGIT,
    LETTER,
    LINE_END,
    ODD,
    OTHER,
    SPACE,
    UPPER,
    Begins,
    Classified,
    Flags,
    Places,
    begins_gpt2,
    classify,
    contractions,
    cut_contractions,
    edges,
)
from scratchlm.text.tokenizer.patterns import PATTERNS
from scratchlm.text.tokenizer.patterns import SPACE as SPACES

_CL100K = (
    (LETTER, r"\p{L}+"),
    (DIGIT, r"\p{N}+"),
    (SPACE, f"[{SPACES}]+"),
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
    place = np.arange(size.sum()) - (size.cumsum() - size).repeat(size)
    begins[first.repeat(size) + place] = place % 3 == 0


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


def _join_contractions(text: Classified, begins: Begins) -> Places:
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


def _run_starts(flags: Flags, at: Places) -> Places:
    """Where the run of true begins that holds each place."""
    starts = np.flatnonzero(flags & np.append(True, ~flags[:-1]))
    return starts[starts.searchsorted(at, "right") - 1]


def _runs(flags: Flags) -> tuple[Places, Places]:
    """Where runs of true begin, and where they end."""
    changed = edges(flags)
    changed[0], changed[-1] = flags[0], flags[-1]
    at = np.flatnonzero(changed)
    return at[::2], at[1::2]
