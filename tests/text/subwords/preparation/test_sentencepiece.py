"""The normaliser, against sentencepiece's own."""

from itertools import product

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.subwords.preparation.sentencepiece import SentencePieceText

FLAGS = list(product([False, True], repeat=3))


@pytest.fixture(scope="module")
def pairs(packed):
    """sentencepiece's normaliser and ours, for every rule and flag."""
    made = []
    for rule in ("nmt_nfkc", "nfkc_cf", "identity"):
        charsmap = packed(rule)
        for dummy, extra, marks in FLAGS:
            theirs = sentencepiece.SentencePieceNormalizer(
                rule_name=rule,
                add_dummy_prefix=dummy,
                remove_extra_whitespaces=extra,
                escape_whitespaces=marks,
            )
            ours = SentencePieceText(
                charsmap=charsmap,
                dummy_prefix=dummy,
                drop_extra=extra,
                mark_spaces=marks,
            )
            made.append((theirs, ours))
    return made


@given(
    st.text("ab  \u2581\t\n\u3000\u200be\u0301\ufb01\u00bd\x01", max_size=12)
)
def test_normalises_as_sentencepiece_does(pairs, text):
    """A space that a rule made, counted as none; a prefix that is stripped."""
    for theirs, ours in pairs:
        assert ours.apply(text) == theirs.normalize(text)


def test_symbols_are_left_alone(packed):
    """A rule that rewrites half of a user-defined symbol."""
    text = SentencePieceText(
        charsmap=packed("nfkc"), symbols=frozenset({"\ufb01", "a\ufb01"})
    )
    assert text.apply("\ufb01\ufb02a\ufb01") == "\ufb01fla\ufb01"


def test_each_text_between_special_tokens_begins_anew():
    """A prefix for the first text only, or for the token itself."""
    text = SentencePieceText(dummy_prefix=True, drop_extra=True)
    assert list(text.parts(" a </s>b</s> ", {"</s>": 2})) == [
        "\u2581a",
        2,
        "\u2581b",
        2,
    ]
    after = SentencePieceText(dummy_prefix=True, as_suffix=True)
    assert after.apply("a b") == "a\u2581b\u2581"
    assert after.identity() != text.identity()
