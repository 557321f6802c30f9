"""The quality rules of Gopher, one by one.

Each is a number of a text and an interval that the number has to lie in.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis and
Insights from Training Gopher", appendix A.1.1.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import partial

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.cleaning.steps import Rule
from scratchlm.text.cleaning.stop_words import STOP_WORDS, stop_words_of

BULLETS = ("•", "‣", "▪", "◦", "●", "-", "*", "–")
ELLIPSES = ("...", "…")

_ELLIPSIS = re.compile(r"\.\.\.|…")
_LETTERS = re.compile(r"[^\W\d_]+")


def n_words(text: str) -> int:
    """Count what white space separates."""
    return len(text.split())


def mean_word_length(text: str) -> float:
    """Average characters per word; 0 without words."""
    words = text.split()
    return sum(map(len, words)) / max(1, len(words))


def hashes_per_word(text: str) -> float:
    """Hash signs, over words."""
    return text.count("#") / max(1, n_words(text))


def ellipses_per_word(text: str) -> float:
    """Ellipses, of one or three characters, over words."""
    return len(_ELLIPSIS.findall(text)) / max(1, n_words(text))


def bullet_lines(text: str) -> float:
    """Share of lines that start with a bullet; blank lines do not count."""
    lines = filled_lines(text)
    return sum(line.startswith(BULLETS) for line in lines) / max(1, len(lines))


def ellipsis_lines(text: str) -> float:
    """Share of the lines that end in an ellipsis; blank lines do not count."""
    lines = filled_lines(text)
    return sum(line.endswith(ELLIPSES) for line in lines) / max(1, len(lines))


def words_with_a_letter(text: str) -> float:
    """Share of the words with at least one letter of any script."""
    words = text.split()
    return sum(map(bool, map(_LETTERS.search, words))) / max(1, len(words))


def stop_words(
    text: str, lists: Sequence[frozenset[str]] = (STOP_WORDS["en"],)
) -> int:
    """How many stop words occur at all, of the language that has most.

    Args:
        text: any text.
        lists: the stop words of each language; the eight of English where
            none are given.
    """
    lower = text.lower()
    words = {*_LETTERS.findall(lower), *map(_bare, lower.split())}
    return max(len(words & each) for each in lists)


def stop_word_rule(languages: Sequence[str]) -> Rule:
    """Gopher's last rule for texts in any of some languages.

    Args:
        languages: codes as in ``("de", "fr")``.

    Raises:
        ValueError: there is no language, or one has no stop words here.
    """
    not_one_string(languages, "languages")
    if not languages:
        raise ValueError("there are no languages; give one or more")
    lists = tuple(map(stop_words_of, languages))
    measure = partial(stop_words, lists=lists)
    return Rule(name="stop words", measure=measure, low=2)


def _bare(word: str) -> str:
    """A word without the signs around it.

    The vowels of Hindi are marks, not letters to a regular expression, and
    stay.
    """
    start, end = 0, len(word)
    while start < end and unicodedata.category(word[start])[0] not in "LM":
        start += 1
    while start < end and unicodedata.category(word[end - 1])[0] not in "LM":
        end -= 1
    return word[start:end]


def filled_lines(text: str) -> list[str]:
    """The lines with something on them, without the space around it."""
    return [line.strip() for line in text.split("\n") if not _is_blank(line)]


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


GOPHER: tuple[Rule, ...] = (
    Rule(name="words", measure=n_words, low=50, high=100_000),
    Rule(name="word length", measure=mean_word_length, low=3, high=10),
    Rule(name="hashes per word", measure=hashes_per_word, high=0.1),
    Rule(name="ellipses per word", measure=ellipses_per_word, high=0.1),
    Rule(name="bullet lines", measure=bullet_lines, high=0.9),
    Rule(name="ellipsis lines", measure=ellipsis_lines, high=0.3),
    Rule(name="words with a letter", measure=words_with_a_letter, low=0.8),
    stop_word_rule(["en"]),
)
