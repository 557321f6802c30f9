"""What every tokenizer of words cut by rule has in common.

Chapter: book/text/unigram.md.

A family of tokenizers differs in how it spells one piece of text. Special
tokens, streams, batches and the memory of what was spelled are the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from sys import maxunicode
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt

from scratchlm.text.array_merging import token_ids
from scratchlm.text.bpe_encoding import LIMIT, Remembered
from scratchlm.text.exact_table import Numbers
from scratchlm.text.parallel import batches, n_workers, ordered_map
from scratchlm.text.pretokenize import Pattern, find_pattern
from scratchlm.text.special import SpecialTokens
from scratchlm.text.streaming import (
    segments,
    well_formed,
    whole_characters,
)

# Characters below which encode_batch starts no processes (guessed: less than
# a second of work for one).
SMALL_BATCH = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SubwordTokenizer(ABC):
    """Text to ids and back, one piece at a time.

    Chapter: book/text/unigram.md.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no token reaches.
        special_tokens: the id of each special token.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.
    """

    pattern: str
    special_tokens: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", self.cutter.name)
        assert self.special is not None  # made now, so that what is bad raises
        self._check()
        claims = [*self._own_ids(), *self.special_tokens.values()]
        bad = [i for i in claims if not 0 <= i <= maxunicode]
        if bad:
            raise ValueError(
                f"token id {bad[0]} is not usable; ids are 0 to {maxunicode}"
            )
        if len(set(claims)) < len(claims):
            raise ValueError(
                "two tokens have the same id; give the special tokens "
                f"{sorted(self.special_tokens)} ids that are free, from "
                f"{max(self._own_ids()) + 1} on"
            )

    @abstractmethod
    def _check(self) -> None:
        """Raise ValueError where the fields contradict each other."""

    @abstractmethod
    def _own_ids(self) -> Collection[int]:
        """The ids of all tokens that are not special."""

    @abstractmethod
    def _spell(self, piece: str) -> str:
        """The tokens of a piece, one character ``chr(id)`` per token."""

    @abstractmethod
    def decode(self, ids: Iterable[int] | Integer[np.ndarray, "T"]) -> str:
        """Turn ids into text."""

    @cached_property
    def cutter(self) -> Pattern:
        """The pattern, ready to cut text."""
        return find_pattern(self.pattern)

    @cached_property
    def special(self) -> SpecialTokens:
        """The special tokens, ready to be found."""
        return SpecialTokens(self.special_tokens)

    @cached_property
    def vocab_size(self) -> int:
        """The rows of an embedding, one more than the highest id."""
        return max(*self._own_ids(), *self.special_tokens.values(), 0) + 1

    def encode(
        self, text: str, *, allowed_special: str | Collection[str] = ()
    ) -> list[int]:
        """Turn text into ids.

        Args:
            text: any text. A lone surrogate, which UTF-8 cannot hold, is
                taken for U+FFFD.
            allowed_special: the special tokens that the text may hold, or
                ``"all"``.

        Raises:
            ValueError: the text holds a special token that is not allowed.
        """
        ids: list[int] = self._encode(text, allowed_special).tolist()
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """Turn text into ids; special tokens in it are plain text."""
        ids: list[int] = token_ids(self._spell_all(text)).tolist()
        return ids

    def encode_array(
        self, text: str, *, allowed_special: str | Collection[str] = ()
    ) -> UInt[np.ndarray, "T"]:
        """Encode into an array of the smallest type that fits every id.

        Args:
            text: as in :meth:`encode`, which also says what raises.
            allowed_special: as in :meth:`encode`.

        Returns:
            T ids.
        """
        dtype = np.min_scalar_type(self.vocab_size - 1)
        return self._encode(text, allowed_special).astype(dtype)

    def encode_arrays(
        self, texts: Sequence[str]
    ) -> list[UInt[np.ndarray, "_"]]:
        """What :meth:`encode_ordinary` gives for each text, as arrays."""
        dtype = np.min_scalar_type(self.vocab_size - 1)
        ids = map(token_ids, map(self._spell_all, texts))
        return [each.astype(dtype) for each in ids]

    def encode_batch(
        self,
        texts: Iterable[str],
        workers: int | None = None,
        *,
        allowed_special: str | Collection[str] = (),
    ) -> list[list[int]]:
        """Encode many texts, on several processes where it pays.

        Args:
            texts: as in :meth:`encode`, which also says what raises.
            workers: processes; None takes one per core, and one for a batch
                that is done before processes have started.
            allowed_special: as in :meth:`encode`.
        """
        texts = list(texts)
        if workers is None and sum(map(len, texts)) < SMALL_BATCH:
            workers = 1
        encode = partial(self._encode_all, allowed_special)
        encoded = ordered_map(encode, batches(texts), n_workers(workers))
        return [ids.tolist() for batch in encoded for ids in batch]

    def encode_iterable(
        self,
        chunks: Iterable[str],
        *,
        allowed_special: str | Collection[str] = (),
    ) -> Iterator[int]:
        """Encode a stream as if its chunks were joined.

        Args:
            chunks: the text, cut anywhere; held whole where the pattern is a
                regular expression of your own.
            allowed_special: as in :meth:`encode`.

        Raises:
            ValueError: the stream holds a special token that is not allowed;
                the ids of text before it may have been yielded.
        """
        allowed = self.special.allow(allowed_special)
        text = self.special.watch(whole_characters(chunks), allowed)
        for part, name in segments(text, self.cutter, self.special, allowed):
            yield from map(ord, self._spell_all(part))
            if name:
                yield self.special_tokens[name]

    @cached_property
    def _remembered(self) -> Remembered:
        pieces = Remembered(self._spell, LIMIT // 4)

        def spell_chunk(chunk: str) -> str:
            return "".join(map(pieces.__getitem__, self.cutter.pieces(chunk)))

        return Remembered(spell_chunk)

    def _spell_all(self, text: str) -> str:
        chunks = self.cutter.split(well_formed(text))
        return "".join(map(self._remembered.__getitem__, chunks))

    def _encode(
        self, text: str, allowed_special: str | Collection[str]
    ) -> Numbers:
        """What :meth:`encode` gives, as an array."""
        allowed = self.special.allow(allowed_special)
        self.special.refuse(text, allowed)
        spelled = []
        for part, name in self.special.cut(text, allowed):
            spelled.append(self._spell_all(part))
            if name:
                spelled.append(chr(self.special_tokens[name]))
        return token_ids("".join(spelled))

    def _encode_all(
        self, allowed_special: str | Collection[str], texts: list[str]
    ) -> list[Numbers]:
        return [self._encode(text, allowed_special) for text in texts]

    def _unknown_id(self, i: object) -> ValueError:
        return ValueError(
            f"{i!r} is not the id of a token; ids are 0 to "
            f"{self.vocab_size - 1}: was the text encoded by another "
            "tokenizer?"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return partial(type(self), **state), ()  # without what is cached
