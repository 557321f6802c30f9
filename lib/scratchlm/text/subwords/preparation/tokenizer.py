"""Tokenizers whose text is prepared before a model spells it."""

from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Integer

from scratchlm.foundation.arrays import Numbers
from scratchlm.text.subwords.preparation.interface import Plain, Rewriting
from scratchlm.text.subwords.preparation.joining import Joining
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.streaming import well_formed, whole_characters


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedTokenizer(SubwordTokenizer):
    """A tokenizer that rewrites text first, as sentencepiece does.

    Args:
        pattern: cuts the rewritten text into pieces.
        special_tokens: the id of each special token.
        preparation: as in :class:`SubwordTokenizer`, for plain ``rewriting``.
        frame: as in :class:`SubwordTokenizer`.
        rewriting: rewrites the text, and finds the special tokens in it.
        joining: makes text of tokens.
    """

    rewriting: Rewriting = field(default_factory=Plain, repr=False)
    joining: Joining | None = field(default=None, repr=False)

    def encode_iterable(
        self,
        chunks: Iterable[str],
        *,
        allowed_special: str | Collection[str] = (),
    ) -> Iterator[int]:
        """Encode a stream as if its chunks were joined.

        Where text is rewritten first, what is at its end can decide what
        becomes of its beginning, and the whole stream is held.

        Args:
            chunks: the text, cut anywhere.
            allowed_special: as in :meth:`encode`.

        Raises:
            ValueError: the stream holds a special token that is not allowed.
        """
        if self._is_plain:
            yield from super().encode_iterable(
                chunks, allowed_special=allowed_special
            )
        else:
            text = "".join(whole_characters(chunks))
            yield from self._encode(text, allowed_special).tolist()

    @property
    def _is_plain(self) -> bool:
        return isinstance(self.rewriting, Plain)

    def _encode(
        self, text: str, allowed_special: str | Collection[str]
    ) -> Numbers:
        if self._is_plain:
            return super()._encode(text, allowed_special)
        allowed = self.special.allow(allowed_special)
        self.special.refuse(text, allowed)
        return self._rewritten(text, allowed)

    def _ordinary(self, text: str) -> Numbers:
        if self._is_plain:
            return super()._ordinary(text)
        return self._rewritten(text, frozenset())

    def _all_ordinary(self, texts: Sequence[str]) -> list[Numbers]:
        if self._is_plain:
            return super()._all_ordinary(texts)
        return [*map(self._ordinary, texts)]

    def _encode_all(
        self, allowed_special: str | Collection[str], texts: list[str]
    ) -> list[Numbers]:
        if self._is_plain:
            return super()._encode_all(allowed_special, texts)
        return [self._encode(text, allowed_special) for text in texts]

    def _rewritten(self, text: str, allowed: frozenset[str]) -> Numbers:
        special = {name: self.special_tokens[name] for name in allowed}
        parts = self.rewriting.parts(well_formed(text), special)
        found = [
            np.array([part]) if isinstance(part, int) else self._text.ids(part)
            for part in parts
        ]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def _decoded(
        self,
        joining: Joining,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        names: Mapping[int, str],
    ) -> str:
        return joining.join(self._spellings(ids, names))

    def _rewriting_identity(self) -> list[Any]:
        """What rewriting adds to the identity; nothing if plain."""
        if self.joining is None and self._is_plain:
            return []
        joined = self.joining and self.joining.identity()
        return [self.rewriting.identity(), joined]
