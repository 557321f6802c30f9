"""The quality rules of Gopher, one by one.

Each is a number of a text and an interval that the number has to lie in.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis and
Insights from Training Gopher", appendix A.1.1.
"""

import re

from scratchlm.text.cleaning.steps import Rule

BULLETS = ("•", "‣", "▪", "◦", "●", "-", "*", "–")
ELLIPSES = ("...", "…")
STOP_WORDS = frozenset(
    ["the", "be", "to", "of", "and", "that", "have", "with"]
)

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


def stop_words(text: str) -> int:
    """How many of the eight frequent English words occur at all."""
    return len(STOP_WORDS.intersection(_LETTERS.findall(text.lower())))


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
    Rule(name="stop words", measure=stop_words, low=2),
)
