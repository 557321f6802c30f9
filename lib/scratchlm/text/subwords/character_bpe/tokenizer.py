"""Byte-pair encoding on characters: the tokenizers of Llama 2 and Gemma."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer

from scratchlm.text.subwords.character_bpe.file import (
    character_bpe_document,
    character_bpe_fields,
)
from scratchlm.text.subwords.character_bpe.merging import (
    RankedMerges,
    ScoredMerges,
)
from scratchlm.text.subwords.preparation.tokenizer import (
    PreparedTokenizer,
)
from scratchlm.text.tokenizer.spelling import TextSpeller


@dataclass(frozen=True, kw_only=True, eq=False)
class CharacterBPETokenizer(PreparedTokenizer):
    """Byte-pair encoding that begins with characters.

    Args:
        pattern: cuts the rewritten text, across which no pair merges.
        special_tokens: the id of each special token.
        rewriting: rewrites the text.
        joining: makes text of tokens.
        frame: as in :class:`SubwordTokenizer`.
        vocab: the id of each token that is not special. A byte's token is
            written as ``<0x41>``.
        merges: spells a piece.
        byte_fallback: a character without a token becomes bytes.
        unknown: the token of a character that has not even those; None
            where there is none.
        fuse_unknown: a run of such characters is one token.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.

    Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of
    Rare Words with Subword Units"; with scores, Kudo and Richardson 2018,
    "SentencePiece".
    """

    vocab: dict[str, int] = field(repr=False)
    merges: ScoredMerges | RankedMerges = field(repr=False)
    byte_fallback: bool = False
    unknown: str | None = None
    fuse_unknown: bool = True

    _kind: ClassVar[str] = "BPE tokenizer on characters"
    _document_of = staticmethod(character_bpe_document)
    _fields_of = staticmethod(character_bpe_fields)

    def decode(self, ids: Iterable[int] | Integer[np.ndarray, "T"]) -> str:
        """Turn ids into text.

        Args:
            ids: ids of this tokenizer; special tokens keep their names.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        assert self.joining is not None
        return self._decoded(self.joining, ids, self._name_of)

    @cached_property
    def _name_of(self) -> dict[int, str]:
        return {
            i: name
            for names in (self.vocab, self.special_tokens)
            for name, i in names.items()
        }

    def _spell(self, piece: str) -> str:
        ids: list[int] = []
        was_unknown = False
        for token in self.merges.spell(piece):
            spelled = self._spelling(token)
            unknown = spelled is None
            if spelled is not None:
                ids += spelled
            elif not (was_unknown and self.fuse_unknown):
                assert self._unknown_id is not None
                ids.append(self._unknown_id)
            was_unknown = unknown
        return "".join(map(chr, ids))

    def _spelling(self, token: str) -> list[int] | None:
        """The ids of a token, or of a character's bytes; None if unknown."""
        i = self.vocab.get(token)
        if i is not None:
            return [i]
        if not self.byte_fallback:
            return None
        found = [self.vocab.get(f"<0x{b:02X}>") for b in token.encode()]
        spelled = [i for i in found if i is not None]
        return spelled if len(spelled) == len(found) else None

    @cached_property
    def _unknown_id(self) -> int | None:
        name = self.unknown
        if name is None:
            return None
        return self.vocab.get(name, self.special_tokens.get(name))

    @cached_property
    def _text(self) -> TextSpeller:
        return TextSpeller(self.cutter, self._spell)

    def _check(self) -> None:
        if self.joining is None:
            raise ValueError("a tokenizer needs joining, to decode by")
        strange = [t for t in self.merges.made if t not in self.vocab]
        if strange:
            raise ValueError(
                f"a merge makes {min(strange)!r}, which the vocabulary lacks"
            )
        complete = self.byte_fallback and all(
            self._spelling(chr(b)) for b in range(128)
        )
        complete &= all(f"<0x{b:02X}>" in self.vocab for b in range(128, 256))
        if self._unknown_id is None and not complete:
            raise ValueError(
                "a character without a token would have no id; give an "
                "unknown token, or a token for each byte"
            )

    def _own_ids(self) -> Collection[int]:
        return self.vocab.values()

    def _identity(self) -> list[Any]:
        return [
            "character bpe",
            self.cutter.expression,
            sorted(self.vocab.items()),
            sorted(self.special_tokens.items()),
            self.merges.identity(),
            [self.byte_fallback, self.unknown, self.fuse_unknown],
            self._rewriting_identity(),
        ]
