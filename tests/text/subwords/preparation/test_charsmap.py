"""The packed rules of sentencepiece's normalisations."""

import struct

import pytest
import sentencepiece

from scratchlm.text.subwords.preparation.charsmap import Charsmap, decode_utf8


@pytest.fixture(scope="module")
def rules(packed):
    return Charsmap(packed("nmt_nfkc"))


def test_the_longest_rule_wins(rules):
    """A letter and its mark compose; the letter alone has no rule."""
    assert rules.longest("e\u0301x", 0) == (2, "\u00e9")
    assert rules.longest("ex", 0) == (1, "e")
    assert rules.longest("a\ufb01", 1) == (2, "fi")
    assert rules.longest("\u200b", 0) == (1, " ")
    assert rules.longest("\x01", 0) == (1, "")  # the rule deletes


def test_the_shortest_rule_is_not_the_longest(rules):
    """tokenizers takes the first rule that it meets on the way."""
    assert rules.longest("\u1100\u1161\u11a8", 0) == (3, "\uac01")
    assert rules.shortest("\u1100\u1161\u11a8") == "\uac00"
    assert rules.shortest("ab") is None
    assert rules.shortest("") is None


def test_every_character_is_as_in_sentencepiece(rules):
    """A unit of the double array read with one bit too few."""
    normalizer = sentencepiece.SentencePieceNormalizer(
        rule_name="nmt_nfkc",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        escape_whitespaces=False,
    )
    for code in [*range(1, 0xD800), *range(0xE000, 0x11000)]:
        if code % 9 == 0 or code < 0x400 or code > 0xFE00:
            text = chr(code)
            assert rules.longest(text, 0)[1] == normalizer.normalize(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abcd",
        struct.pack("<I", 5) + b"abcdefgh",
        struct.pack("<I", 400) + b"abcdefgh",
    ],
)
def test_damaged_bytes_are_refused(data):
    """An error of an index, deep in the first text that is encoded."""
    with pytest.raises(ValueError, match="damaged"):
        Charsmap(data)


def test_a_unit_that_points_outside():
    """The same, where only a unit is damaged."""
    rules = Charsmap(struct.pack("<II", 4, 1 << 31 - 1) + b"ab\0")
    with pytest.raises(ValueError, match="outside"):
        rules.longest("a", 0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\xc3\xa9", "a\u00e9"),
        (b"\xe3\x81a", "\ufffd\ufffda"),
        (b"\xff\xc3", "\ufffd\ufffd"),
        (b"\xed\xa0\x80b", "\ufffd\ufffd\ufffdb"),
    ],
)
def test_bytes_that_are_no_text(data, text):
    """Python makes one sign of two bytes that begin one character."""
    assert decode_utf8(data) == text
    normalizer = sentencepiece.SentencePieceNormalizer(
        rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        escape_whitespaces=False,
    )
    assert normalizer.normalize(data) in (text, text.encode())
