"""Merging by score and by rank."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.subwords.character_bpe.merging import (
    RankedMerges,
    ScoredMerges,
    merge_symbols,
)

SCORES = {"ab": -1.0, "ba": -1.0, "aa": -2.0, "aba": -3.0, "abab": -0.5}


def slowly(symbols, scores):
    """The definition: look at all pairs, merge the best, again."""
    symbols = list(symbols)
    while True:
        found = [
            (-scores[a + b], i)
            for i, (a, b) in enumerate(pairwise(symbols))
            if a + b in scores
        ]
        if not found:
            return symbols
        _, i = min(found)
        symbols[i : i + 2] = ["".join(symbols[i : i + 2])]


@given(st.text("abc", max_size=40))
def test_the_heap_gives_what_the_definition_gives(text):
    """A pair whose neighbour merged first, merged all the same."""
    assert ScoredMerges(scores=SCORES).spell(text) == slowly(text, SCORES)


def test_of_equal_scores_the_leftmost_merges():
    """With ranks for pairs the one that is listed first would."""
    assert ScoredMerges(scores=SCORES).spell("bab") == ["ba", "b"]
    pairs = (("a", "b"), ("b", "a"))
    assert RankedMerges(pairs=pairs).spell("bab") == ["b", "ab"]


def test_symbols_are_whole_and_merge_with_nothing():
    """A user-defined symbol that a neighbour takes in."""
    merges = ScoredMerges(
        scores={"xa": -1.0, "ab": -2.0}, symbols=frozenset({"x", "xab"})
    )
    assert merges.spell("xaxabab") == ["x", "a", "xab", "ab"]
    assert merges.made == {"xa", "ab", "x", "xab"}


def test_unused_tokens_fall_apart():
    """An id that a vocabulary gave up, in the output."""
    merges = ScoredMerges(
        scores={"ab": -1.0, "abc": -2.0, "abcd": -3.0},
        unused=frozenset({"abc", "abcd"}),
    )
    assert merges.spell("abcd") == ["ab", "c", "d"]


def test_a_whole_piece_needs_no_merge():
    """tokenizers' ignore_merges, without which no merge makes it."""
    merges = RankedMerges(pairs=(("a", "b"),), whole=frozenset({"abc"}))
    assert merges.spell("abc") == ["abc"]
    assert merges.spell("abca") == ["ab", "c", "a"]
    assert merges.made == {"ab", "abc"}
    assert merges.identity() != RankedMerges(pairs=(("a", "b"),)).identity()


def test_long_texts_take_no_square_of_their_length():
    """A minute for a line of a minified file."""
    text = "ab" * 20_000
    assert merge_symbols(list(text), lambda a, b: None) == list(text)
    assert len(ScoredMerges(scores=SCORES).spell(text)) == 10_000
