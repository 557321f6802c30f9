"""What every way to prepare text offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from scratchlm.text.tokenizer.special_tokens import SpecialTokens

# A space as sentencepiece writes it inside tokens.
SPACE_MARK = "\u2581"


class Rewriting(ABC):
    """Turns text into stretches that a model spells one by one."""

    @abstractmethod
    def parts(
        self, text: str, special: Mapping[str, int]
    ) -> Iterator[str | int]:
        """Cut and rewrite a text.

        Args:
            text: well-formed text.
            special: the id of each special token that the text may hold.

        Yields:
            Text for the model, which is not empty, or the id of a token that
            was found before the model saw it.
        """

    @abstractmethod
    def identity(self) -> Any:
        """All that determines the parts, as JSON can hold it."""


class Plain(Rewriting):
    """Leaves text as it is, and cuts it at special tokens."""

    def parts(
        self, text: str, special: Mapping[str, int]
    ) -> Iterator[str | int]:
        yield from cut(text, special)

    def identity(self) -> Any:
        return None


def cut(text: str, ids: Mapping[str, int]) -> Iterator[str | int]:
    """The stretches between some tokens, none empty, and the tokens' ids."""
    for part, name in SpecialTokens(ids).cut(text, frozenset(ids)):
        if part:
            yield part
        if name:
            yield ids[name]
