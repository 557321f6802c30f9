"""The pre-tokenizers that a ``tokenizer.json`` names."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import regex

from scratchlm.text.subwords.preparation.joining import scheme_of
from scratchlm.text.subwords.preparation.rewriting import oniguruma
from scratchlm.text.tokenizer.patterns import WHITE_SPACE

# A stretch of text, and whether the text that was given begins with it.
Stretch = tuple[str, bool]
Cut = Callable[[Stretch], list[Stretch]]

_WORD = regex.compile(f"[^{WHITE_SPACE}]+")


@dataclass(frozen=True, kw_only=True)
class Metaspace:
    """Writes spaces as a mark, adds one before, and cuts before each.

    Args:
        mark: stands for a space.
        scheme: adds a mark ``always``, to the ``first`` stretch or ``never``;
            one that begins with a mark gets no other.
        split: cut before each mark.
    """

    mark: str
    scheme: str
    split: bool

    def __call__(self, stretch: Stretch) -> list[Stretch]:
        text, first = stretch
        text = text.replace(" ", self.mark)
        adds = self.scheme == "always" or (self.scheme == "first" and first)
        if adds and not text.startswith(self.mark):
            text = self.mark + text
        if not self.split:
            return [(text, first)]
        head, *tail = text.split(self.mark)
        pieces = [head, *(self.mark + part for part in tail)]
        return _marked([piece for piece in pieces if piece], first)


def words(stretch: Stretch) -> list[Stretch]:
    """What lies between white space."""
    text, first = stretch
    found = [
        (m.group(), first and not m.start()) for m in _WORD.finditer(text)
    ]
    return found


@dataclass(frozen=True, kw_only=True)
class Split:
    """Cuts at what an expression matches.

    Args:
        expression: compiled.
        behavior: as tokenizers calls it: the match is a piece by itself
            (``Isolated``) or goes to a neighbour (``MergedWithPrevious``,
            ``MergedWithNext``).
    """

    expression: regex.Pattern[str]
    behavior: str

    def __call__(self, stretch: Stretch) -> list[Stretch]:
        text, first = stretch
        places = [0]
        for match in self.expression.finditer(text):
            if self.behavior != "MergedWithPrevious":
                places.append(match.start())
            if self.behavior != "MergedWithNext":
                places.append(match.end())
        places.append(len(text))
        pieces = [text[a:b] for a, b in pairwise(places) if a < b]
        return _marked(pieces, first)


def _marked(pieces: list[str], first: bool) -> list[Stretch]:
    return [(piece, first and i == 0) for i, piece in enumerate(pieces)]


def cuts(rule: dict[str, Any] | None) -> list[Cut]:
    """The steps of a pre-tokenizer.

    Args:
        rule: the field ``pre_tokenizer`` of a ``tokenizer.json``.

    Raises:
        ValueError: a step is none that this package knows.
    """
    if rule is None:
        return []
    match rule:
        case {"type": "Sequence", "pretokenizers": parts}:
            return [step for part in parts for step in cuts(part)]
        case {"type": "Metaspace", "replacement": mark}:
            split = bool(rule.get("split", True))
            scheme = scheme_of(rule)
            return [Metaspace(mark=mark, scheme=scheme, split=split)]
        case {"type": "WhitespaceSplit"}:
            return [words]
        case {
            "type": "Split",
            "pattern": pattern,
            "behavior": "Isolated"
            | "MergedWithPrevious"
            | "MergedWithNext" as behavior,
        } if not rule.get("invert"):
            expression = pattern.get("Regex")
            if expression is None:
                expression = regex.escape(pattern["String"])
            return [Split(expression=oniguruma(expression), behavior=behavior)]
    raise ValueError(f"it has the pre-tokenizer {rule}")
