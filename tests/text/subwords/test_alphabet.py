"""Which characters get a token."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.subwords.alphabet import counted, covered, only_of
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer


@given(
    st.dictionaries(st.text("abcdé", min_size=1), st.integers(1, 9)),
    st.floats(0.01, 1.0),
)
def test_the_fewest_characters_that_cover_enough(counts, coverage):
    """A coverage that is a share of the alphabet, not of the text."""
    total = Counter()
    for piece, count in counts.items():
        total.update({c: count * piece.count(c) for c in set(piece)})
    kept = covered(counts, coverage)
    held = sum(total[c] for c in kept)
    assert held >= coverage * total.total()
    if kept:
        rarest = min(total[c] for c in kept)
        assert held - rarest < coverage * total.total()
        assert all(total[c] <= rarest for c in total if c not in kept)


def test_full_coverage_keeps_every_character():
    """A rounding error that drops the last, rarest one."""
    counts = {chr(0x4E00 + i): i + 1 for i in range(3000)}
    assert covered(counts, 1.0) == set(counts)


def test_a_tie_does_not_depend_on_the_order():
    """Of characters equally rare, one that came first in some corpus."""
    assert covered({"ab": 1, "c": 8}, 0.9) == covered({"c": 8, "ba": 1}, 0.9)


@pytest.mark.parametrize("coverage", [0.0, -1.0, 1.1, float("nan")])
def test_a_coverage_that_is_no_share(coverage):
    """A vocabulary without characters, trained without a word."""
    with pytest.raises(ValueError, match=r"coverage is.*at most 1"):
        covered({"a": 1}, coverage)


def test_pieces_that_an_alphabet_spells():
    """A piece with one rare character, learnt from by half."""
    assert only_of({"ab": 1, "ac": 2}, frozenset("ab")) == {"ab": 1}


def test_corpora_that_hold_nothing():
    """An empty vocabulary, or one text taken for a list of letters."""
    assert counted(["a b"], "gpt2", 1) == {"a": 1, " b": 1}
    with pytest.raises(ValueError, match="no text"):
        counted([""], "gpt2", 1)
    with pytest.raises(ValueError, match="one string"):
        counted("text", "gpt2", 1)


def test_special_tokens_count_for_nothing():
    """Tokens of "endof" and "text", learned from every end of a document."""
    texts = ["ab<|end|>ab", "<|end|>"]
    assert counted(texts, r"\S+", 1, ["<|end|>"]) == {"ab": 2}
    assert counted(texts, r"\S+", 1) == {"ab<|end|>ab": 1, "<|end|>": 1}


@pytest.mark.parametrize("family", [UnigramTokenizer, WordPieceTokenizer])
def test_training_cuts_at_special_tokens(family):
    """A vocabulary that spells them a second time, as text."""
    texts = ["one two one two<|end|>"] * 20
    size = {"vocab_size": 300, "special_tokens": ["<|end|>"]}
    with pytest.warns(UserWarning, match="the text"):
        trained = family.train(texts, **size)
    assert not any("|" in token for token in trained.vocab)
