import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.texts import python_docs
from scratchlm.text.tokenizer.arrays.cutting import (
    LETTER,
    OTHER,
    begins_gpt2,
    classify,
    cut,
)
from scratchlm.text.tokenizer.patterns import PATTERNS

# What the rules look at: space of all kinds, apostrophes and what follows
# them, and characters of one to four bytes. U+001C is space to Python alone.
TRICKY = st.text(st.sampled_from("ab1 '.\"sdtlmrev\n\r\t\x1c\x85é日🙂\u3000ſ"))


def starts(text):
    """The same from the regular expression, piece by piece."""
    at = [0]
    for piece in PATTERNS["gpt2"].pieces(text):
        at.append(at[-1] + len(piece.encode()))
    return at


@given(TRICKY)
@settings(max_examples=1000)
def test_cuts_where_the_pattern_does(text):
    """A rule forgotten: the last space of a run, a contraction, the end."""
    assert cut(text.encode(), begins_gpt2).tolist() == starts(text)


@given(st.text())
def test_cuts_any_text_where_the_pattern_does(text):
    """A letter of one engine that is a sign to the other."""
    assert cut(text.encode(), begins_gpt2).tolist() == starts(text)


def test_cuts_real_text_where_the_pattern_does():
    """What nobody thought of, in half a megabyte of prose."""
    text = "\n".join(python_docs())
    assert cut(text.encode(), begins_gpt2).tolist() == starts(text)


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
