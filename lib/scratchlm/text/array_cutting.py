"""The pattern of GPT-2 without an engine. Chapter: book/text/tokenizer.md.

A piece begins where the class of the characters changes, but for three rules
that look at one neighbour, at the end of a run of space, or at an apostrophe.
Each is a comparison of a whole text with itself, shifted by one.
"""

from functools import cache

import numpy as np
import regex
from jaxtyping import Bool, Int, UInt

from scratchlm.text.pretokenize import SPACE as SPACES

OTHER, LETTER, DIGIT, SPACE = range(4)


def cut_gpt2(text: str) -> Int[np.ndarray, "n"]:
    """Cut a text as GPT-2's regular expression does.

    Chapter: book/text/tokenizer.md.

    Args:
        text: well-formed text.

    Returns:
        Where each piece begins and, last, where the text ends, counted in
        bytes of its UTF-8 form.
    """
    if not text:
        return np.zeros(1, np.int64)
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    starts = np.flatnonzero(_begins(codes))
    if text.isascii():
        return starts
    n_bytes = np.ones(len(codes) + 1, np.int64)
    n_bytes[0] = 0
    for longer in (0x80, 0x800, 0x10000):
        n_bytes[1:] += codes >= longer
    return n_bytes.cumsum()[starts]


def _begins(codes: UInt[np.ndarray, "n"]) -> Bool[np.ndarray, "n_and_one"]:
    """Whether a piece begins at each character, and at the end."""
    kind = _classes().take(codes)
    space = kind == SPACE
    begins = np.ones(len(codes) + 1, bool)
    np.not_equal(kind[1:], kind[:-1], out=begins[1:-1])
    begins[1:-1] &= (codes[:-1] != ord(" ")) | space[1:]  # " " joins a word
    last = np.flatnonzero(space[:-1] & ~space[1:])
    begins[last] = True  # a run of space gives its last character back
    _cut_contractions(codes, begins)
    return begins


def _cut_contractions(
    codes: UInt[np.ndarray, "n"], begins: Bool[np.ndarray, "n_and_one"]
) -> None:
    """A piece that begins with an apostrophe may be a contraction."""
    at = np.flatnonzero(codes == ord("'"))
    at = at[begins[at]]
    behind = np.append(codes, np.zeros(2, codes.dtype))
    first, second = behind[at + 1], behind[at + 2]
    single = np.isin(first, [ord(letter) for letter in "sdmt"])
    double = np.zeros(len(at), bool)
    for one, two in ("ll", "ve", "re"):
        double |= (first == ord(one)) & (second == ord(two))
    begins[at[single | double] + 1] = False
    begins[at[single] + 2] = True
    begins[at[double] + 3] = True


@cache
def _classes() -> UInt[np.ndarray, "1114112"]:
    """The class of each code point, asked of the pattern's own engine."""
    table = np.full(0x110000, OTHER, np.uint8)
    table[[ord(c) for c in regex.findall(f"[{SPACES}]", _every())]] = SPACE
    for number, name in ((LETTER, r"\p{L}"), (DIGIT, r"\p{N}")):
        for run in regex.finditer(f"{name}+", _every()):
            table[run.start() : run.end()] = number
    return table


def _every() -> str:
    return "".join(map(chr, range(0x110000)))
