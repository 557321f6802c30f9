"""Repetition: equal to plain loops, and each rule at its threshold."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.cleaning import repetition
from scratchlm.text.cleaning.repetition import (
    REPETITION,
    repeated_ngram_chars,
    top_ngram_chars,
)
from scratchlm.text.cleaning.steps import Rejection

RULES = {rule.name: rule for rule in REPETITION}
TEXTS = st.lists(st.sampled_from(["a", "bb", "ccc", "dddd"]), max_size=40)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def grams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def repeated_naively(words, n):
    """Mark each character that a repeated n-gram covers."""
    counts = Counter(grams(words, n))
    covered = [False] * len(words)
    for i, gram in enumerate(grams(words, n)):
        if counts[gram] > 1:
            covered[i : i + n] = [True] * n
    chars = sum(len(w) for w, c in zip(words, covered, strict=True) if c)
    return chars / max(1, sum(map(len, words)))


def top_naively(words, n):
    counts = Counter(grams(words, n))
    most = max(counts.values(), default=0)
    if most < 2:
        return 0
    sizes = [len("".join(g)) for g, c in counts.items() if c == most]
    return most * max(sizes) / sum(map(len, words))


@given(TEXTS, st.integers(1, 6))
def test_arrays_equal_loops(words, n):
    """Overlapping n-grams whose characters count twice; the wrong one of
    several that are equally frequent."""
    text = " ".join(words)
    assert repeated_ngram_chars(text, n) == repeated_naively(words, n)
    assert top_ngram_chars(text, n) == top_naively(words, n)


def different(n, start=0):
    """n words of four letters, no two alike."""
    abc = LETTERS
    return [
        abc[i // 676 % 26] + abc[i // 26 % 26] + abc[i % 26] + "x"
        for i in range(start, start + n)
    ]


def with_repeats(n, total, repeated):
    """A text of words of equal length, of which so many stand in the two
    copies of one stretch."""
    half = repeated // 2
    return " ".join(
        different(half) + different(total - repeated, 5000) + different(half)
    )


@pytest.mark.parametrize("n", range(5, 11))
def test_repeated_ngrams_at_the_threshold(n):
    """A table of thresholds that is shifted by one row."""
    rule = RULES[f"repeated {n}-grams"]
    allowed = round(200 * rule.high)
    inside = with_repeats(n, 200, allowed)
    assert rule(inside) is inside
    assert isinstance(rule(with_repeats(n, 200, allowed + 2)), Rejection)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_top_ngram_at_the_threshold(n):
    """The same for the n-gram that covers most."""
    rule = RULES[f"top {n}-gram"]
    times = round(1200 * rule.high) // n
    assert times * n == 1200 * rule.high

    def text(times):
        words = different(1200 - times * n, 2000)
        phrase = different(n)
        parts = [[*phrase, words.pop()] for _ in range(times)]
        return " ".join([w for part in parts for w in part] + words)

    inside = text(times)
    assert rule(inside) is inside
    assert isinstance(rule(text(times + 1)), Rejection)


@pytest.mark.parametrize(
    ("name", "inside", "beyond"),
    [
        ("repeated lines", "a\n" * 4 + "b\nc\nd\ne\nf\ng", "a\na\na\nb\nc\nd"),
        ("repeated paragraphs", "a\n\n" * 4 + "\n\n".join("bcdefg"),
         "a\n\na\n\na\n\nb"),
        ("repeated line chars", "aa\naa\nbbb\nccc", "aa\naa\nbbb\ncc"),
        ("repeated paragraph chars", "aa\n\naa\n\nbbb\n\nccc",
         "aa\n\naa\n\nbbb\n\ncc"),
    ],
)  # fmt: skip
def test_lines_and_paragraphs_at_the_threshold(name, inside, beyond):
    """The first of several equal lines is no repetition."""
    assert RULES[name](inside) is inside
    assert isinstance(RULES[name](beyond), Rejection)


def test_the_table_is_complete():
    """A row that is missing from the table of thresholds."""
    assert len(RULES) == 13


@pytest.mark.parametrize("rule", REPETITION, ids=lambda rule: rule.name)
def test_short_texts_repeat_nothing(rule):
    """An n-gram longer than its text."""
    for text in ("", "\n \n", "one", "one two three"):
        assert rule(text) is text


def test_a_page_of_one_word_repeats_itself():
    """The worst page of all passes, because it has a single n-gram."""
    assert repeated_ngram_chars("buy " * 100, 5) == 1
    assert repetition.repeated_lines("buy\n" * 100) == 0.99
