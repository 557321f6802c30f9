"""What every tokenizer has in common.

Families of tokenizers differ in how they spell one piece of text, and in the
model that they save. Special tokens, streams, batches, arrays and files are
the same.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from sys import maxunicode
from typing import Any, ClassVar, TypeVar

import numpy as np
from jaxtyping import Integer, UInt

from scratchlm.foundation.arrays import Numbers
from scratchlm.foundation.parallel import batches, n_workers, ordered_map
from scratchlm.text.tokenizer.file import Parts, read_folder, write_folder
from scratchlm.text.tokenizer.frame import Frame
from scratchlm.text.tokenizer.patterns import (
    Cutter,
    PatternName,
    find_pattern,
)
from scratchlm.text.tokenizer.preparation import Preparation, TextReader
from scratchlm.text.tokenizer.special_tokens import SpecialTokens
from scratchlm.text.tokenizer.spelling import TextSpeller
from scratchlm.text.tokenizer.streaming import segments, whole_characters

Loaded = TypeVar("Loaded", bound="SubwordTokenizer")
Spelling = TypeVar("Spelling", str, bytes)


@dataclass(frozen=True, kw_only=True, eq=False)
class SubwordTokenizer(ABC):
    """Text to ids and back, one piece at a time.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no token reaches; or
            several of these, each of which cuts the pieces of the one before.
        special_tokens: the id of each special token.
        preparation: what happens to text before it is cut.
        frame: the tokens that stand around a text where a caller asks for
            them.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.
    """

    pattern: PatternName
    special_tokens: dict[str, int] = field(default_factory=dict)
    preparation: Preparation = field(default_factory=Preparation)
    frame: Frame = field(default_factory=Frame)

    # Characters below which encode_batch starts no processes (guessed: less
    # than a second of work for one).
    _small_batch: ClassVar[int] = 1_000_000
    _kind: ClassVar[str]  # what a file of this family holds, in words

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", self.cutter.name)
        self._check()
        both = self.special.names & self.preparation.added_tokens.keys()
        if both:
            raise ValueError(
                f"{min(both)!r} is a special token and an ordinary added "
                "one; give it once"
            )
        self.frame.check(self.added_ids)
        new = [i for n, i in self.added_ids.items() if not self._has(n, i)]
        claims = [*self._own_ids(), *new]
        bad = [i for i in claims if not 0 <= i <= maxunicode]
        if bad:
            raise ValueError(
                f"token id {bad[0]} is not usable; ids are 0 to {maxunicode}"
            )
        if len(set(claims)) < len(claims):
            raise ValueError(
                "two tokens have the same id; give the special tokens "
                f"{sorted(self.added_ids)} ids that are free, from "
                f"{max(self._own_ids()) + 1} on"
            )

    @property
    @abstractmethod
    def _text(self) -> TextSpeller:
        """Turns ordinary text into ids, and remembers what it met."""

    @abstractmethod
    def _check(self) -> None:
        """Raise ValueError where the fields contradict each other."""

    @abstractmethod
    def _own_ids(self) -> Collection[int]:
        """The ids of all tokens that are not special."""

    def _has(self, _name: str, _id: int) -> bool:
        """Whether an added token is one of the vocabulary, found anew."""
        return False

    @abstractmethod
    def _identity(self) -> list[Any]:
        """All that determines the output, as JSON can hold it."""

    @staticmethod
    @abstractmethod
    def _document_of(fields: Parts) -> Parts:
        """What ``tokenizer.json`` holds of a tokenizer with these fields."""

    @staticmethod
    @abstractmethod
    def _fields_of(document: Parts) -> Parts:
        """The fields of the tokenizer that wrote a document."""

    @abstractmethod
    def decode(self, ids: Iterable[int] | Integer[np.ndarray, "T"]) -> str:
        """Turn ids into text."""

    @cached_property
    def cutter(self) -> Cutter:
        """The pattern, ready to cut text."""
        return find_pattern(self.pattern)

    @cached_property
    def special(self) -> SpecialTokens:
        """The special tokens, ready to be found."""
        return SpecialTokens(self.special_tokens)

    @cached_property
    def added_ids(self) -> dict[str, int]:
        """The id of each added token, special or ordinary."""
        return self.special_tokens | self.preparation.added_tokens

    @cached_property
    def vocab_size(self) -> int:
        """The rows of an embedding, one more than the highest id."""
        return max(*self._own_ids(), *self.added_ids.values(), 0) + 1

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that determines the output, 64 hex digits."""
        said = self._identity()
        if self.preparation != Preparation() or self.frame != Frame():
            said.append(_identity_of(self.preparation, self.frame))
        parts = json.dumps(said)
        return hashlib.sha256(parts.encode()).hexdigest()

    def encode(
        self,
        text: str,
        *,
        allowed_special: str | Collection[str] = (),
        add_special_tokens: bool = False,
    ) -> list[int]:
        """Turn text into ids.

        Args:
            text: any text. A lone surrogate, which UTF-8 cannot hold, is
                taken for U+FFFD.
            allowed_special: the special tokens that the text may hold, or
                ``"all"``.
            add_special_tokens: put those of the frame around the text, as
                Hugging Face's libraries do unless they are told not to.

        Raises:
            ValueError: the text holds a special token that is not allowed.
        """
        ids = self._encode(text, allowed_special)
        framed = self._framed(ids) if add_special_tokens else ids
        return list(framed.tolist())

    def encode_ordinary(self, text: str) -> list[int]:
        """Turn text into ids; special tokens in it are plain text."""
        ids: list[int] = self._ordinary(text).tolist()
        return ids

    def encode_array(
        self,
        text: str,
        *,
        allowed_special: str | Collection[str] = (),
        add_special_tokens: bool = False,
    ) -> UInt[np.ndarray, "T"]:
        """Encode into an array of the smallest type that fits every id.

        Args:
            text: as in :meth:`encode`, which also says what raises.
            allowed_special: as in :meth:`encode`.
            add_special_tokens: as in :meth:`encode`.

        Returns:
            T ids.
        """
        ids = self._encode(text, allowed_special)
        framed = self._framed(ids) if add_special_tokens else ids
        return framed.astype(self._dtype)

    def encode_arrays(
        self, texts: Sequence[str]
    ) -> list[UInt[np.ndarray, "_"]]:
        """What :meth:`encode_ordinary` gives for each text, as arrays.

        Many short texts together can be faster than one by one.
        """
        return [ids.astype(self._dtype) for ids in self._all_ordinary(texts)]

    def encode_batch(
        self,
        texts: Iterable[str],
        workers: int | None = None,
        *,
        allowed_special: str | Collection[str] = (),
        add_special_tokens: bool = False,
    ) -> list[list[int]]:
        """Encode many texts, on several processes where it pays.

        Args:
            texts: as in :meth:`encode`, which also says what raises.
            workers: processes; None takes one per core, and one for a batch
                that is done before processes have started.
            allowed_special: as in :meth:`encode`.
            add_special_tokens: as in :meth:`encode`.
        """
        texts = list(texts)
        if workers is None and sum(map(len, texts)) < self._small_batch:
            workers = 1
        encode = partial(self._encode_all, allowed_special)
        encoded = ordered_map(encode, batches(texts), n_workers(workers))
        each = (ids for batch in encoded for ids in batch)
        framed = map(self._framed, each) if add_special_tokens else each
        return [ids.tolist() for ids in framed]

    def encode_iterable(
        self,
        chunks: Iterable[str],
        *,
        allowed_special: str | Collection[str] = (),
    ) -> Iterator[int]:
        """Encode a stream as if its chunks were joined, in constant memory.

        Args:
            chunks: the text, cut anywhere. With a pattern that is a regular
                expression of your own, nothing is known about how far it
                looks, and the whole stream is held; and so it is where text
                is prepared.
            allowed_special: as in :meth:`encode`.

        Raises:
            ValueError: the stream holds a special token that is not allowed;
                the ids of text before it may have been yielded.
        """
        allowed = self.special.allow(allowed_special)
        text = self.special.watch(whole_characters(chunks), allowed)
        if self._reader:
            yield from self.encode("".join(text), allowed_special=allowed)
            return
        for part, name in segments(text, self.cutter, self.special, allowed):
            yield from self._text.ids(part).tolist()
            if name:
                yield self.special_tokens[name]

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json`` as Hugging Face's libraries read it.

        Raises:
            ValueError: ``folder`` is a file, or the tokenizer has ids that
                such a file cannot say.
        """
        write_folder(Path(folder), self._document_of(self._fields()))

    @classmethod
    def load(cls: type[Loaded], folder: str | Path) -> Loaded:
        """Read ``tokenizer.json`` of a tokenizer of this family.

        Raises:
            ValueError: the file is missing, corrupt, or does what this class
                does not; the message names the file and what is wrong.
        """
        return read_folder(
            Path(folder),
            cls._kind,
            lambda document: cls(**cls._fields_of(document)),
        )

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        return np.min_scalar_type(self.vocab_size - 1)

    @cached_property
    def _reader(self) -> TextReader | None:
        """Prepares text; None where nothing is to be done."""
        if self.preparation.is_trivial(self.special_tokens):
            return None
        return TextReader(self.special_tokens, self.preparation)

    def _encode(
        self, text: str, allowed_special: str | Collection[str]
    ) -> Numbers:
        """What :meth:`encode` gives, as an array."""
        allowed = self.special.allow(allowed_special)
        self.special.refuse(text, allowed)
        if not self._reader:
            if not allowed:
                return self._text.ids(text)
            return self._joined(self.special.cut(text, allowed))
        parts = [*self._reader.cut(text)]
        for _, name in parts:  # which only the normalised text holds
            if name in self.special.names:
                self.special.refuse(name, allowed)
        return self._joined(parts)

    def _ordinary(self, text: str) -> Numbers:
        """What :meth:`encode_ordinary` gives, as an array."""
        if not self._reader:
            return self._text.ids(text)
        return self._joined(self._reader.cut(text, self.special.names))

    def _all_ordinary(self, texts: Sequence[str]) -> list[Numbers]:
        if not self._reader:
            return self._text.all_ids(texts)
        return [*map(self._ordinary, texts)]

    def _joined(self, parts: Iterable[tuple[str, str]]) -> Numbers:
        """The ids of texts and of the added tokens behind them."""
        ids = []
        for part, name in parts:
            ids.append(self._text.ids(part))
            if name:
                ids.append(np.array([self.added_ids[name]]))
        return np.concatenate(ids) if len(ids) > 1 else ids[0]

    def _framed(self, ids: Numbers) -> Numbers:
        """The frame's tokens around a text's."""
        before, after = (
            np.array([self.added_ids[name] for name in names], np.int64)
            for names in (self.frame.before, self.frame.after)
        )
        return np.concatenate([before, ids, after])

    def _encode_all(
        self, allowed_special: str | Collection[str], texts: list[str]
    ) -> list[Numbers]:
        allowed = self.special.allow(allowed_special)
        if allowed or self._reader:
            return [self._encode(text, allowed) for text in texts]
        for text in texts:
            self.special.refuse(text, allowed)
        return self._text.all_ids(texts)

    def _spellings(
        self,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        spelling_of: Mapping[int, Spelling],
    ) -> list[Spelling]:
        """What each id stands for; ValueError where it stands for nothing."""
        ids = ids.tolist() if isinstance(ids, np.ndarray) else ids
        try:
            return list(map(spelling_of.__getitem__, ids))
        except KeyError as error:
            raise ValueError(
                f"{error.args[0]!r} is not the id of a token; ids are 0 to "
                f"{self.vocab_size - 1}: was the text encoded by another "
                "tokenizer?"
            ) from None

    def _fields(self) -> Parts:
        """All that makes the tokenizer, without what is cached."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._fields()), ()


def _identity_of(preparation: Preparation, frame: Frame) -> list[Any]:
    """All of a preparation and a frame, as JSON can hold it."""
    return [
        [normalizer.rule for normalizer in preparation.normalizers],
        sorted(preparation.added_tokens.items()),
        sorted((n, vars(how)) for n, how in preparation.matching.items()),
        preparation.prefix_space,
        vars(frame),
    ]
