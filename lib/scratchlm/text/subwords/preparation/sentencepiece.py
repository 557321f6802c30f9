"""Text as sentencepiece prepares it for its models.

The rules of a normalisation apply at the leftmost place, the longest one
first. A mark stands for a space, so that a token can hold it visibly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from scratchlm.text.subwords.preparation.charsmap import Charsmap
from scratchlm.text.subwords.preparation.interface import (
    SPACE_MARK,
    Rewriting,
    cut,
)
from scratchlm.text.tokenizer.special_tokens import find_any


@dataclass(frozen=True, kw_only=True)
class SentencePieceText(Rewriting):
    """The normaliser of sentencepiece.

    A special token ends a text, and the next one begins after it: each of
    the texts between is what sentencepiece would be given.

    Args:
        charsmap: the packed rules of the normalisation; empty for none.
        dummy_prefix: begin each text with a space.
        drop_extra: leave out spaces at both ends, and all but one of a run.
        mark_spaces: write a space as U+2581.
        as_suffix: the space that ``dummy_prefix`` adds goes to the end.
        symbols: strings that no rule changes.
    """

    charsmap: bytes = field(default=b"", repr=False)
    dummy_prefix: bool = False
    drop_extra: bool = False
    mark_spaces: bool = True
    as_suffix: bool = False
    symbols: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _ = self._rules  # made now, so that what is damaged raises

    def parts(
        self, text: str, special: Mapping[str, int]
    ) -> Iterator[str | int]:
        for part in cut(text, special):
            prepared = self.apply(part) if isinstance(part, str) else part
            if prepared != "":
                yield prepared

    def apply(self, text: str) -> str:
        """Normalise one text.

        Source: Kudo and Richardson 2018, "SentencePiece", section 3.3; the
        order of its steps as in the released program.
        """
        chunks = self._chunks(text)
        if self.drop_extra:
            chunks = _without_extra(chunks)
        if not chunks:
            return ""
        space = SPACE_MARK if self.mark_spaces else " "
        prepared = "".join(chunks).replace(" ", space)
        if self.dummy_prefix and not self.as_suffix:
            prepared = space + prepared
        if self.drop_extra:
            prepared = prepared.rstrip(space)
        if self.dummy_prefix and self.as_suffix:
            prepared += space
        return prepared

    def identity(self) -> Any:
        return [
            sha256(self.charsmap).hexdigest(),
            [self.dummy_prefix, self.drop_extra],
            [self.mark_spaces, self.as_suffix],
            sorted(self.symbols),
        ]

    @cached_property
    def _rules(self) -> Charsmap | None:
        return Charsmap(self.charsmap) if self.charsmap else None

    def _chunks(self, text: str) -> list[str]:
        """What the rules make of a text, one string for each that applied."""
        rules, finder = self._rules, find_any(self.symbols)
        found = finder.search(text) if finder else None
        chunks, at = [], 0
        while at < len(text):
            if finder and found and found.start() < at:
                found = finder.search(text, at)
            if found and found.start() == at:
                end, chunk = found.end(), found.group()
            elif rules:
                end, chunk = rules.longest(text, at)
            else:
                end, chunk = at + 1, text[at]
            chunks.append(chunk)
            at = end
        return chunks


def _without_extra(chunks: list[str]) -> list[str]:
    """Leave out spaces at the beginning, and those that follow a space."""
    first = next((i for i, c in enumerate(chunks) if c != " "), len(chunks))
    kept, after_space = [], True
    for chunk in chunks[first:]:
        shown = chunk.lstrip(" ") if after_space else chunk
        if shown:
            after_space = shown.endswith(" ")
        kept.append(shown)
    return kept
