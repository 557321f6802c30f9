"""The rules of C4, one by one.

Some drop lines and keep the page, the others drop the page.

Source: Raffel et al. 2020, "Exploring the Limits of Transfer Learning with
a Unified Text-to-Text Transformer", section 2.2.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.cleaning.steps import Edit, Rejection, Rule, Step

# A quotation mark that closes, straight or as any language curves it, ends a
# sentence too; so do the marks of scripts with others than ours.
QUOTES = '"”’»“‘«」』'
OTHER_MARKS = "。！？．।॥۔؟።፧։။៕"
TERMINAL = (".", "!", "?", *QUOTES, *OTHER_MARKS)
POLICY = (
    *("terms of use", "privacy policy", "cookie policy"),
    *("uses cookies", "use of cookies", "use cookies"),
)

_CITATION = re.compile(r"\[(?:\d+|citation needed|edit)\]", re.I)
# Possessive and never begun inside a run: a line of dots costs its length.
# Behind a mark of another script need not stand a space.
_SENTENCE_END = re.compile(
    rf"(?<![.!?])[.!?]++[{QUOTES})\]]*+(?=\s|$)|[{OTHER_MARKS}]++"
)


@dataclass(frozen=True, kw_only=True)
class LineRule:
    """Drops the lines of a page that fail a test, and keeps the others.

    Blank lines stay, since they part
    paragraphs. A page of which no line is left is rejected.

    Args:
        name: what the funnel calls it.
        keeps: from a line, without the space around it, to whether it stays.
    """

    name: str
    keeps: Callable[[str], bool]

    def __call__(self, text: str) -> str | Rejection:
        """Return the lines that stay, or a rejection where none does."""
        kept = []
        dropped = filled = 0
        for line in text.split("\n"):
            bare = line.strip()
            if bare and not self.keeps(bare):
                dropped += 1
                continue
            filled += bool(bare)
            kept.append(line)
        if not filled:
            return Rejection(
                reason=f"{self.name}: none of {dropped} lines is kept"
            )
        if not dropped:
            return text
        return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")


def ends_a_sentence(line: str) -> bool:
    """Whether a line ends in a mark that ends a sentence, not an ellipsis."""
    return line.endswith(TERMINAL) and not line.endswith("...")


def has_words(line: str, at_least: int) -> bool:
    """Whether a line has so many words."""
    return len(line.split()) >= at_least


def lacks(line: str, phrases: tuple[str, ...]) -> bool:
    """Whether a line has none of some lower-case phrases in it."""
    lower = line.lower()
    return not any(phrase in lower for phrase in phrases)


def n_sentences(text: str) -> int:
    """Count ends of sentences.

    That is a mark and then white space or the end, or a mark of a script
    that has its own.
    """
    return len(_SENTENCE_END.findall(text))


def curly_brackets(text: str) -> int:
    """Count opening and closing ones."""
    return text.count("{") + text.count("}")


def lorem_ipsum(text: str) -> int:
    """Count the words of the placeholder."""
    return text.lower().count("lorem ipsum")


def drop_citation_marks(text: str) -> str:
    """Take out ``[1]``, ``[edit]`` and ``[citation needed]``."""
    return _CITATION.sub("", text)


def word_list_rule(words: Iterable[str], *, at_most: int = 0) -> Rule:
    """A rule against pages with words of a list.

    C4 used a public list of obscene words.
    The package contains none: what to forbid is the caller's decision.

    Args:
        words: words or phrases, compared without case and as wholes.
        at_most: how many occurrences a page may have.

    Raises:
        ValueError: the list is empty, or one string.
    """
    not_one_string(words, "words")
    listed = sorted({word.lower() for word in words if word.strip()})
    if not listed:
        raise ValueError("the list has no words; leave the rule out instead")
    phrases = "|".join(map(re.escape, listed))
    pattern = re.compile(rf"(?<!\w)(?:{phrases})(?!\w)", re.I)
    return Rule(
        name="listed words",
        measure=partial(_occurrences, pattern),
        high=at_most,
    )


def _occurrences(pattern: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


C4: tuple[Step, ...] = (
    Edit(name="citation marks", change=drop_citation_marks),
    LineRule(name="sentence lines", keeps=ends_a_sentence),
    LineRule(name="lines of words", keeps=partial(has_words, at_least=5)),
    LineRule(
        name="javascript lines",
        keeps=partial(lacks, phrases=("javascript",)),
    ),
    LineRule(name="policy lines", keeps=partial(lacks, phrases=POLICY)),
    Rule(name="curly brackets", measure=curly_brackets, high=0),
    Rule(name="lorem ipsum", measure=lorem_ipsum, high=0),
    Rule(name="sentences", measure=n_sentences, low=3),
)
