"""The tokenizer: text to token ids and back.

Ids 0 to 255 of a tokenizer trained here are the bytes, in their order; then
come the merged tokens in the order of their merges, then the special tokens.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer

from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe_file import bpe_document, bpe_fields
from scratchlm.text.tokenizer.encoding import TextMerger
from scratchlm.text.tokenizer.merging import MergeRules, Pair
from scratchlm.text.tokenizer.patterns import PatternName
from scratchlm.text.tokenizer.training import train_bpe


@dataclass(frozen=True, kw_only=True, eq=False)
class BPETokenizer(SubwordTokenizer):
    """Byte-level byte-pair encoding.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no pair merges; or
            several of these, each of which cuts the pieces of the one before.
        vocab: the id of each token, given as its bytes.
        merges: the pairs of tokens that merge, first to merge first.
        special_tokens: the id of each special token.
        preparation: what happens to text before it is cut. A token among its
            ``added_tokens`` may be one of ``vocab`` too.
        frame: the tokens that stand around a text where a caller asks for
            them.
        whole_pieces: a piece that is a token needs no merging.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.

    Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of
    Rare Words with Subword Units"; on bytes, Radford et al. 2019, "Language
    Models are Unsupervised Multitask Learners", section 2.2.
    """

    vocab: dict[bytes, int] = field(repr=False)
    merges: tuple[Pair, ...] = field(repr=False)
    whole_pieces: bool = False

    _small_batch: ClassVar[int] = 10_000_000
    _kind: ClassVar[str] = "byte-level BPE tokenizer"
    _document_of = staticmethod(bpe_document)
    _fields_of = staticmethod(bpe_fields)

    @classmethod
    def train(  # noqa: PLR0913
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        pattern: PatternName = "gpt2",
        special_tokens: Sequence[str] = (),
        workers: int | None = None,
        progress: bool = False,
    ) -> "BPETokenizer":
        """Learn a vocabulary from text.

        Args:
            texts: the documents; no piece crosses from one into the next.
            vocab_size: the bytes, the merged tokens and the special tokens.
                Where the text has fewer pairs to merge, the vocabulary is
                smaller, and a warning says so.
            pattern: ``gpt2``, ``cl100k``, ``o200k`` or a regular expression,
                or several of these, one step after another.
            special_tokens: tokens that no text merges into; the last ids.
                Where the texts spell one, its letters count for nothing.
            workers: processes; None takes one per core. The vocabulary is
                the same whatever the number.
            progress: show a progress bar.

        Raises:
            ValueError: ``vocab_size`` is below the bytes and the special
                tokens, the texts hold nothing, the pattern is malformed, or a
                special token is empty or given twice.

        Six merges; after the first, five pairs occur twice each, and of those
        the greatest, ``l`` and ``s``, comes next:

        >>> tokenizer = BPETokenizer.train(["she sells sea shells"], 262)
        >>> [left + right for left, right in tokenizer.merges]
        [b' s', b'ls', b'lls', b'he', b' se', b'she']
        >>> tokenizer.encode("she sells")
        [261, 260, 258]
        """
        fields = train_bpe(
            texts,
            vocab_size,
            pattern=pattern,
            special_tokens=special_tokens,
            workers=workers,
            progress=progress,
        )
        return cls(**fields)

    def decode(
        self,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        errors: str = "replace",
        *,
        skip_special_tokens: bool = False,
    ) -> str:
        """Turn ids into text.

        Args:
            ids: ids of this tokenizer, those of special tokens among them.
            errors: what becomes of bytes that are not UTF-8, as in
                ``bytes.decode``: a token may end inside a character.
            skip_special_tokens: leave special tokens out. Added tokens that
                are ordinary text stay.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        return self.decode_bytes(
            ids, skip_special_tokens=skip_special_tokens
        ).decode("utf-8", errors)

    def decode_bytes(
        self,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        *,
        skip_special_tokens: bool = False,
    ) -> bytes:
        """Turn ids into the bytes that they stand for.

        Args:
            ids: as in :meth:`decode`.
            skip_special_tokens: as in :meth:`decode`.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        shown = self._bytes_shown if skip_special_tokens else self.bytes_of
        return b"".join(self._spellings(ids, shown))

    @cached_property
    def rules(self) -> MergeRules:
        """The merges, ready to apply."""
        return MergeRules(self.vocab, self.merges, self.whole_pieces)

    @cached_property
    def bytes_of(self) -> dict[int, bytes]:
        """The bytes of each id, added tokens among them."""
        return {i: token for token, i in self.vocab.items()} | {
            i: name.encode() for name, i in self.added_ids.items()
        }

    @cached_property
    def _bytes_shown(self) -> dict[int, bytes]:
        """The same, but that special tokens show nothing."""
        nothing = dict.fromkeys(self.special_tokens.values(), b"")
        return self.bytes_of | nothing

    @cached_property
    def _text(self) -> TextMerger:
        return TextMerger(self.cutter, self.rules)

    def _check(self) -> None:
        _ = self.rules  # made now, so that what is bad raises

    def _own_ids(self) -> Collection[int]:
        return self.vocab.values()

    def _has(self, name: str, i: int) -> bool:
        return self.vocab.get(name.encode()) == i

    def _identity(self) -> list[Any]:
        return [
            self.cutter.expression,
            sorted((i, token.hex()) for token, i in self.vocab.items()),
            [(left.hex(), right.hex()) for left, right in self.merges],
            sorted(self.special_tokens.items()),
            self.whole_pieces,
        ]
