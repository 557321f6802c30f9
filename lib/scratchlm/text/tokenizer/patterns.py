"""Cutting text into pieces before any merge.

Byte-pair encoding never merges across a piece, so a piece is the most that
one token can hold. A regular expression cuts the pieces. This module holds
three that the field uses, and a coarser cut, into chunks, which is cheaper
than the pieces and never splits one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias, runtime_checkable

import regex

# A name or a regular expression; or several, one step after another.
PatternName: TypeAlias = str | tuple[str, ...]

GPT2 = (
    r"'(?:[sdmt]|ll|ve|re)"  # the English contractions
    r"| ?\p{L}++"  # letters, with the one space before them
    r"| ?\p{N}++"  # digits and other signs for numbers
    r"| ?[^\s\p{L}\p{N}]++"  # everything that is neither
    r"|\s++$"  # space at the end of the text
    r"|\s+(?!\S)"  # a run of space, less the last one before a word
    r"|\s"
)
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)"
    r"|[^\r\n\p{L}\p{N}]?+\p{L}++"  # letters take any one sign before them
    r"|\p{N}{1,3}+"  # the same, in threes
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+"  # signs take the line ends after them
    r"|\s++$"
    r"|\s*[\r\n]"  # space up to and with the last line end
    r"|\s+(?!\S)"
    r"|\s"
)
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTION}"  # camel|Case
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTION}"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)

# White space as the patterns mean it, Unicode's White_Space property. The
# standard library's \s would add the four separators U+001C to U+001F.
WHITE_SPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

# Why a chunk never splits a piece. Write S for a character that is not space.
#
# 1. The last character of a run of space before S begins a piece, unless it
#    is a line end, which may end one: inside a piece space has more space
#    behind it, since `\s+(?!\S)` gives the last one back.
# 2. GPT-2: a piece that is not all space has none but at its start, so it
#    ends where S meets space.
# 3. cl100k and o200k: space after S can belong to the same piece only up to
#    the last line end of the run. o200k lets "/" follow those line ends.
# 4. No pattern looks back, and `\s+(?!\S)` and `\s++$` look ahead no farther
#    than the character after the run. A chunk alone falls into the pieces
#    into which it falls in its text, if it ends in a whole run, in a line end
#    or in a run that has lost its last character.
_S = f"[^{WHITE_SPACE}]"
_RUN = f"[{WHITE_SPACE}]+(?!{_S})|[{WHITE_SPACE}]"
_GPT2_CHUNKS = f" ?{_S}+|{_RUN}"
_INLINE = WHITE_SPACE.replace("\t-\r", "\t\v\f")
_TO_LINE_END = rf"[{WHITE_SPACE}]+\Z|[{WHITE_SPACE}]*[\r\n]"
_LINED_CHUNKS = (
    rf"[{_INLINE}]?{_S}+(?:[\r\n]+/{_S}*)*+(?:{_TO_LINE_END})?"
    rf"|{_TO_LINE_END}|{_RUN}"
)


@runtime_checkable
class Cutter(Protocol):
    """What cuts text into pieces: a pattern, or several in turn."""

    @property
    def name(self) -> PatternName:
        """What :func:`find_pattern` finds it by."""

    @property
    def expression(self) -> PatternName:
        """The regular expression of one piece, or one for each step."""

    @property
    def chunks(self) -> str | None:
        """An expression of whole pieces side by side, if one is known."""

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text, which joined give the text again."""

    def split(self, text: str) -> list[str]:
        """The chunks of a text; its pieces, where chunks are not known."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A rule that cuts text into pieces.

    Args:
        name: ``gpt2``, ``cl100k``, ``o200k``, or the regular expression.
        expression: the regular expression of one piece.
        chunks: an expression of one chunk, whole pieces that lie side by
            side, or None where nothing but the pieces is known to be safe.
    """

    name: str
    expression: str
    chunks: str | None = None

    def __post_init__(self) -> None:
        assert self._cut  # made now, so that a bad expression raises

    @cached_property
    def _cut(self) -> regex.Pattern[str]:
        return _compile(self.expression)

    @cached_property
    def _cut_ascii(self) -> re.Pattern[str]:
        return re.compile(in_ascii(self.expression))

    @cached_property
    def _cut_chunks(self) -> re.Pattern[str]:
        return re.compile(self.chunks or "")

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text, which joined give the text again."""
        if self.chunks:
            cut = self._cut_ascii if text.isascii() else self._cut
            return cut.findall(text)
        return list(self._with_gaps(text))

    def split(self, text: str) -> list[str]:
        """The chunks of a text; its pieces, where chunks are not known."""
        if self.chunks:
            return self._cut_chunks.findall(text)
        return list(self._with_gaps(text))

    def _with_gaps(self, text: str) -> Iterator[str]:
        """The matches and, as pieces of their own, what lies between."""
        end = 0
        for match in self._cut.finditer(text):
            if match.start() > end:
                yield text[end : match.start()]
            if match.end() > match.start():
                yield match.group()
            end = match.end()
        if end < len(text):
            yield text[end:]


@dataclass(frozen=True, kw_only=True)
class PatternSteps:
    """Several patterns, each of which cuts the pieces of the one before.

    A later pattern sees one piece at a time, and not what is around it.

    Args:
        steps: the patterns, in turn.
    """

    steps: tuple[Pattern, ...]
    chunks: None = None

    @property
    def name(self) -> tuple[str, ...]:
        """The name of each step."""
        return tuple(step.name for step in self.steps)

    @property
    def expression(self) -> tuple[str, ...]:
        """The expression of each step."""
        return tuple(step.expression for step in self.steps)

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text, which joined give the text again."""
        pieces = [text] if text else []
        for step in self.steps:
            pieces = [p for piece in pieces for p in step.pieces(piece)]
        return pieces

    def split(self, text: str) -> list[str]:
        """The pieces: of what lies safely side by side nothing is known."""
        return self.pieces(text)


def in_ascii(expression: str) -> str:
    """A pattern for ASCII text alone, which the faster ``re`` can match.

    Args:
        expression: one of the named patterns.
    """
    classes = {
        r"\p{L}": "A-Za-z",
        r"\p{N}": "0-9",
        r"\p{Lu}": "A-Z",
        r"\p{Ll}": "a-z",
        r"\s": r"\t-\r ",
        r"\p{Lt}": "",
        r"\p{Lm}": "",
        r"\p{Lo}": "",
        r"\p{M}": "",
    }

    def translate(part: re.Match[str]) -> str:
        """A class within brackets, or a bare one, which gets brackets."""
        found = part.group()
        if found[0] != "[":
            found = f"[{found}]".replace(r"[\S]", r"[^\s]")
        for theirs, ours in classes.items():
            found = found.replace(theirs, ours)
        return found

    ascii_only = re.sub(
        r"\[[^]]*\]|\\p\{L\}|\\p\{N\}|\\[sS]", translate, expression
    )
    return ascii_only.replace("$", r"\Z")


def _compile(expression: str) -> regex.Pattern[str]:
    remedy = "give gpt2, cl100k, o200k or a regular expression of one piece"
    try:
        compiled = regex.compile(expression)
    except regex.error as error:
        message = f"bad pattern {expression!r}: {error}; {remedy}"
        raise ValueError(message) from error
    if compiled.match(""):
        raise ValueError(
            f"pattern {expression!r} matches the empty text, so it cuts no "
            f"pieces; {remedy} that holds at least one character"
        )
    return compiled


PATTERNS = {
    "gpt2": Pattern(name="gpt2", expression=GPT2, chunks=_GPT2_CHUNKS),
    "cl100k": Pattern(name="cl100k", expression=CL100K, chunks=_LINED_CHUNKS),
    "o200k": Pattern(name="o200k", expression=O200K, chunks=_LINED_CHUNKS),
}
_ORIGINAL_GPT2 = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+"
    r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
_BY_EXPRESSION = {p.expression: p for p in PATTERNS.values()} | {
    _ORIGINAL_GPT2: PATTERNS["gpt2"]
}


def find_pattern(name: PatternName) -> Pattern | PatternSteps:
    """The pattern of a name, or of a regular expression.

    Args:
        name: ``gpt2``, ``cl100k``, ``o200k`` or a regular expression; or
            several of these, each of which cuts the pieces of the one before.

    Raises:
        ValueError: an expression is malformed or matches the empty text.
    """
    if isinstance(name, str):
        return _find_one(name)
    steps = tuple(map(_find_one, name))
    if not steps:
        raise ValueError(
            "the pattern has no steps; give gpt2, cl100k, o200k or a regular "
            "expression of one piece"
        )
    return steps[0] if len(steps) == 1 else PatternSteps(steps=steps)


def _find_one(name: str) -> Pattern:
    known = PATTERNS.get(name) or _BY_EXPRESSION.get(name)
    return known or Pattern(name=name, expression=name)
