import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs, python_source
from scratchlm.text.tokenizer.arrays.cutting import (
    LETTER,
    OTHER,
    RULES,
    classify,
    cut,
)
from scratchlm.text.tokenizer.patterns import PATTERNS

each_pattern = pytest.mark.parametrize("pattern", [*PATTERNS])
SIGNS = "aB \n"

# Letters of either case and of none, marks, digits of one byte and of more,
# contractions, characters of one to four bytes, the slash, and all kinds of
# space and line end; U+001C is space to Python alone.
TRICKY = st.text(
    st.sampled_from(
        "aAbBsSdDlLmrvVeEtT1234'''.;/ \n\r\t\x1c\x85\u2028\u3000"
        "éÉ日ǅʰ\u0301²٣ſ🙂"
    ),
    max_size=60,
)


def starts(pattern, text):
    """The same from the regular expression, piece by piece."""
    at = [0]
    for piece in PATTERNS[pattern].pieces(text):
        at.append(at[-1] + len(piece.encode()))
    return at


def cuts(pattern, text):
    return cut(text.encode(), RULES[pattern]).tolist()


@each_pattern
@settings(max_examples=1500)
@given(text=TRICKY)
def test_cuts_where_the_pattern_does(pattern, text):
    """A rule forgotten: the last space of a run, a contraction, the end; or
    two rules that both apply, in the wrong order."""
    assert cuts(pattern, text) == starts(pattern, text)


@each_pattern
@given(text=st.text())
def test_cuts_any_text_where_the_pattern_does(pattern, text):
    """A script that no rule was tried on, or a letter of one engine that is
    a sign to the other."""
    assert cuts(pattern, text) == starts(pattern, text)


@pytest.mark.untraced
@each_pattern
@pytest.mark.parametrize("first", SIGNS)
def test_cuts_every_short_text_where_the_pattern_does(pattern, first):
    """A case that chance does not find: 5,460 texts of up to six signs."""
    for size in range(6):
        for signs in itertools.product(SIGNS, repeat=size):
            text = first + "".join(signs)
            assert cuts(pattern, text) == starts(pattern, text)


@each_pattern
@pytest.mark.parametrize(
    "text",
    [
        "they're DON'T it's's's x'sun's",  # what follows a contraction
        "a;\n/b ;\n//c\n/ \r\n/d",  # o200k's slash behind a line end
        "camelCase HTTPServer X aB",
        "12345678 1 123 ٣٣٣٣٣ 1²3",
        "end \n  ",  # cl100k joins the space at the end, o200k does not
        "\n\n  \n \t\n x",
    ],
)
def test_cuts_the_hard_cases_where_the_pattern_does(pattern, text):
    """A rule that looks one sign too near."""
    for end in range(len(text) + 1):
        assert cuts(pattern, text[:end]) == starts(pattern, text[:end])


@each_pattern
def test_cuts_real_text_where_the_pattern_does(pattern):
    """What nobody thought of, in prose and source."""
    source = python_source(max_bytes=500_000)
    text = "\n".join([*python_docs(), *source])
    assert cuts(pattern, text) == starts(pattern, text)


@pytest.mark.parametrize("point", [0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000])
def test_every_byte_has_the_class_of_its_character(point):
    """A width of UTF-8 off by one, and the last byte of a character taken
    for a character of its own."""
    text = f"a{chr(point)}é日🙂{chr(0x10FFFF)}b".encode()
    classes = classify(text, ((LETTER, r"\p{L}+"),))
    expected = [
        LETTER if char.isalpha() else OTHER
        for char in text.decode()
        for _ in char.encode()
    ]
    assert classes.kind.tolist() == expected


def test_flags_move_between_the_ends_of_a_character():
    """A run of wide space that gives back the last byte of its last sign."""
    text = classify("a\u3000\u3000b".encode(), ())
    first = np.array([0, 1, 0, 0, 0, 0, 0, 1], bool)
    last = np.array([0, 0, 0, 1, 0, 0, 0, 1], bool)
    assert (text.on_last(first) & ~first).tolist() == (last & ~first).tolist()
    assert text.on_first(last).tolist() == first.tolist()
