"""Tokens that are found in text before it is cut into pieces.

A vocabulary that is finished can still grow: tokens are added to it, each
with its spelling and an id. Some are special, and text must not forge them.
Others are text like any other, that has one id wherever it stands.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import regex

from scratchlm.text.tokenizer.patterns import WHITE_SPACE
from scratchlm.text.tokenizer.special_tokens import find_any

_WORD = regex.compile(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]")
_SPACE = re.compile(f"[{WHITE_SPACE}]*")
_SPACES = "".join(c for c in map(chr, range(0x3001)) if _SPACE.fullmatch(c))


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How an added token is found, where its spelling is not all.

    Args:
        lstrip: the white space before it is part of it, and lost.
        rstrip: the white space behind it is part of it, and lost.
        single_word: within a word it is not found.
        normalized: it is looked for in its normalised spelling, and in text
            that is normalised already.
    """

    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False


AS_SPELLED = Matching()


class TokenFinder:
    """Finds added tokens, from the left, the longest where two begin.

    Args:
        names: the token that each spelling stands for.
        matching: of the tokens that more than their spelling finds.
    """

    def __init__(
        self, names: Mapping[str, str], matching: Mapping[str, Matching]
    ):
        self.names = names
        self.matching = matching
        self.finder = find_any(frozenset(names))

    def cut(
        self, text: str, skip: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, str]]:
        """Text and the token after it, "" at the end.

        Args:
            text: the text.
            skip: tokens that are plain text wherever they are found.
        """
        end = 0
        for found in self.finder.finditer(text) if self.finder else ():
            name = self.names[found.group()]
            how = self.matching.get(name, AS_SPELLED)
            start, stop = found.span()
            if name in skip or (how.single_word and _in_word(text, found)):
                continue
            if how.lstrip:
                start = end + len(text[end:start].rstrip(_SPACES))
            if how.rstrip:
                space = _SPACE.match(text, stop)
                stop = space.end() if space else stop
            yield text[end:start], name
            end = stop
        yield text[end:], ""


def _in_word(text: str, found: re.Match[str]) -> bool:
    """Whether a letter, a digit or the like touches what was found."""
    start, stop = found.span()
    before = start > 0 and _WORD.match(text, start - 1)
    return bool(before or _WORD.match(text, stop))
