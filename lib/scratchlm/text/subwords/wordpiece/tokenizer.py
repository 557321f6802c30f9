"""Greedy longest match: WordPiece.

A token that does not begin a piece is written with a mark before it, ``##``.
The encoder takes the longest token that fits, then the longest that fits
next; a piece that cannot be spelled so is unknown as a whole.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer

from scratchlm.text.subwords.wordpiece.file import (
    wordpiece_document,
    wordpiece_fields,
)
from scratchlm.text.subwords.wordpiece.training import (
    UNKNOWN,
    train_wordpiece,
)
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.spelling import TextSpeller


@dataclass(frozen=True, kw_only=True, eq=False)
class WordPieceTokenizer(SubwordTokenizer):
    """The tokenizer of BERT, without its normaliser.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces.
        vocab: the id of each token; one that continues a piece is written
            with ``prefix`` before it.
        special_tokens: the id of each special token.
        unknown: the token of ``vocab`` for a piece that cannot be spelled.
        prefix: the mark of a token that continues a piece. Text that begins
            a piece with this mark can be mistaken for such a token.
        max_characters: a longer piece is unknown.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.

    Source: Schuster and Nakajima 2012, "Japanese and Korean Voice Search";
    the encoder as in Devlin et al. 2019, "BERT", whose released
    code has the limit and the mark.
    """

    vocab: dict[str, int] = field(repr=False)
    unknown: str = UNKNOWN
    prefix: str = "##"
    max_characters: int = 100

    _kind: ClassVar[str] = "WordPiece tokenizer"
    _document_of = staticmethod(wordpiece_document)
    _fields_of = staticmethod(wordpiece_fields)

    @classmethod
    def train(  # noqa: PLR0913
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (),
        criterion: str = "likelihood",
        min_count: int = 2,
        coverage: float = 0.9999,
        workers: int | None = None,
        progress: bool = False,
    ) -> "WordPieceTokenizer":
        """Learn a vocabulary from text.

        Args:
            texts: the documents; no piece crosses from one into the next.
            vocab_size: the unknown token, each character in two forms, the
                merged tokens and the special tokens. Where the text has too
                few pairs, the vocabulary is smaller, and a warning says so.
            pattern: ``gpt2``, ``cl100k``, ``o200k`` or a regular expression.
            special_tokens: tokens outside the text; the last ids.
            criterion: which pair merges: the one with the largest gain in
                ``likelihood``, ``ratio`` (the gain per occurrence) or
                ``frequency`` (as in byte-pair encoding).
            min_count: pairs that occur less often do not merge.
            coverage: the share of the text's characters that get tokens; the
                rarest ones beyond it are unknown.
            workers: processes that count pieces; None takes one per core.
            progress: show a progress bar.

        Raises:
            ValueError: ``vocab_size`` has no room for the characters, the
                texts hold nothing, or an option is not as described.
        """
        fields = train_wordpiece(
            texts,
            vocab_size,
            pattern=pattern,
            special_tokens=special_tokens,
            criterion=criterion,
            min_count=min_count,
            coverage=coverage,
            workers=workers,
            progress=progress,
        )
        return cls(**fields)

    def decode(self, ids: Iterable[int] | Integer[np.ndarray, "T"]) -> str:
        """Turn ids into text, in which each unknown piece is ``unknown``.

        Args:
            ids: ids of this tokenizer, those of special tokens among them.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        return "".join(self._spellings(ids, self._text_of))

    @cached_property
    def _continuing(self) -> dict[str, int]:
        """The tokens inside a piece, without the mark."""
        size = len(self.prefix)
        return {
            token[size:]: i
            for token, i in self.vocab.items()
            if token.startswith(self.prefix) and len(token) > size
        }

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.vocab))

    @cached_property
    def _text_of(self) -> dict[int, str]:
        marked = {i: token for token, i in self._continuing.items()}
        return (
            {i: token for token, i in self.vocab.items()}
            | marked
            | {i: name for name, i in self.added_ids.items()}
        )

    def _spell(self, piece: str) -> str:
        unknown = chr(self.vocab[self.unknown])
        if len(piece) > self.max_characters:
            return unknown
        ids = match_longest(piece, self.vocab, self._continuing, self._longest)
        return "".join(map(chr, ids)) if ids else unknown

    @cached_property
    def _text(self) -> TextSpeller:
        return TextSpeller(self.cutter, self._spell)

    def _check(self) -> None:
        if self.unknown not in self.vocab:
            raise ValueError(
                f"the vocabulary lacks the unknown token {self.unknown!r}; "
                "add it, or name the token that stands for unknown pieces"
            )
        if "" in self.vocab or not self.prefix:
            raise ValueError(
                "a token or the prefix is empty; give each at least one "
                "character"
            )
        if self.max_characters < 1:
            raise ValueError(
                f"max_characters is {self.max_characters}; give 1 or more"
            )
        both = set(self.vocab) & set(self.special_tokens)
        if both:
            raise ValueError(
                f"{min(both)!r} is in the vocabulary and a special token; "
                "give it once"
            )

    def _own_ids(self) -> Collection[int]:
        return self.vocab.values()

    def _identity(self) -> list[Any]:
        return [
            "wordpiece",
            self.cutter.expression,
            sorted(self.vocab.items()),
            sorted(self.special_tokens.items()),
            [self.unknown, self.prefix, self.max_characters],
        ]


def match_longest(
    piece: str, first: dict[str, int], later: dict[str, int], longest: int
) -> list[int]:
    """Spell a piece by the longest token that fits, again and again.

    Args:
        piece: what to spell.
        first: the id of each token that can begin a piece.
        later: the id of each token that can continue one, without its mark.
        longest: no token has more characters.

    Returns:
        The ids; empty where at some place no token fits.

    Source: Devlin et al. 2019, "BERT", the released tokenizer.
    """
    ids: list[int] = []
    start, known = 0, first
    while start < len(piece):
        for end in range(min(len(piece), start + longest), start, -1):
            found = known.get(piece[start:end])
            if found is not None:
                ids.append(found)
                start, known = end, later
                break
        else:
            return []
    return ids
