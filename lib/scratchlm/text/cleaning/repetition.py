"""The repetition rules of Gopher.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis and
Insights from Training Gopher", appendix A.1.1 and its table of thresholds.
"""

import re
from collections import Counter
from functools import partial

import numpy as np
from jaxtyping import Int64

from scratchlm.text.cleaning.gopher import filled_lines
from scratchlm.text.cleaning.steps import Rule

_PARAGRAPH_END = re.compile(r"\n\s*\n")


def repeated_lines(text: str) -> float:
    """Share of the lines that repeat an earlier one.

    Blank lines do not count.
    """
    return _repeated(filled_lines(text))


def repeated_line_chars(text: str) -> float:
    """Share of the characters that stand in lines that repeat.

    The first occurrence does not count.
    """
    return _repeated_chars(filled_lines(text))


def repeated_paragraphs(text: str) -> float:
    """Share of the paragraphs that repeat an earlier one.

    Blank lines part paragraphs.
    """
    return _repeated(_paragraphs(text))


def repeated_paragraph_chars(text: str) -> float:
    """Share of the characters that stand in paragraphs that repeat.

    The first occurrence does not count.
    """
    return _repeated_chars(_paragraphs(text))


def top_ngram_chars(text: str, n: int) -> float:
    """Share of the characters in the n-gram of words that covers most.

    Of n-grams equally frequent the longest
    counts; one that occurs once does not. White space is no character here.

    Args:
        text: any text.
        n: words to the n-gram.
    """
    words = text.split()
    ids = _ngram_ids(words, n)
    counts = np.bincount(ids)
    most = int(counts.max(initial=0))
    if most < 2:
        return 0.0
    sizes = _ngram_sizes(words, n)
    longest = int(sizes[counts[ids] == most].max())
    return most * longest / sum(map(len, words))


def repeated_ngram_chars(text: str, n: int) -> float:
    """Share of the characters in n-grams of words that occur twice or more.

    A character counts once, however many
    such n-grams overlap on it. White space is no character here.

    Args:
        text: any text.
        n: words to the n-gram.
    """
    words = text.split()
    ids = _ngram_ids(words, n)
    if not len(ids):
        return 0.0
    again = np.bincount(ids)[ids] > 1
    # +1 where a repeated n-gram starts, -1 behind its end: the running sum
    # says how many of them cover a word.
    edge = np.zeros(len(words) + 1, np.int64)
    edge[: len(again)] += again
    edge[n:] -= again
    covered = np.cumsum(edge[:-1]) > 0
    lengths = np.array([len(word) for word in words])
    return float(lengths[covered].sum() / lengths.sum())


def _ngram_ids(words: list[str], n: int) -> Int64[np.ndarray, "grams"]:
    """Equal numbers for equal n-grams, from 0 without a gap.

    The n-grams of one more word are pairs: an n-gram and the word after it.
    """
    number: dict[str, int] = {}
    ids = [number.setdefault(word, len(number)) for word in words]
    unigrams = np.array(ids, np.int64)
    grams = unigrams
    for size in range(1, n):
        if len(grams) and grams.max() == len(grams) - 1:
            # All differ, and so do all that are longer.
            return np.arange(max(0, len(words) - n + 1))
        pairs = grams[:-1] * len(number) + unigrams[size:]
        _, grams = np.unique(pairs, return_inverse=True)
    return np.asarray(grams, np.int64)


def _ngram_sizes(words: list[str], n: int) -> Int64[np.ndarray, "grams"]:
    ends = np.cumsum([0, *map(len, words)])
    return np.asarray(ends[n:] - ends[:-n], np.int64)


def _paragraphs(text: str) -> list[str]:
    parts = (part.strip() for part in _PARAGRAPH_END.split(text))
    return [part for part in parts if part]


def _repeated(parts: list[str]) -> float:
    return (len(parts) - len(set(parts))) / max(1, len(parts))


def _repeated_chars(parts: list[str]) -> float:
    again = sum(
        len(part) * (count - 1) for part, count in Counter(parts).items()
    )
    return again / max(1, sum(map(len, parts)))


# Table A1 of the source. The longer the n-gram, the less may repeat.
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}

REPETITION: tuple[Rule, ...] = (
    Rule(name="repeated lines", measure=repeated_lines, high=0.3),
    Rule(name="repeated paragraphs", measure=repeated_paragraphs, high=0.3),
    Rule(name="repeated line chars", measure=repeated_line_chars, high=0.2),
    Rule(
        name="repeated paragraph chars",
        measure=repeated_paragraph_chars,
        high=0.2,
    ),
    *(
        Rule(
            name=f"top {n}-gram",
            measure=partial(top_ngram_chars, n=n),
            high=high,
        )
        for n, high in _TOP.items()
    ),
    *(
        Rule(
            name=f"repeated {n}-grams",
            measure=partial(repeated_ngram_chars, n=n),
            high=high,
        )
        for n, high in _REPEATED.items()
    ),
)
