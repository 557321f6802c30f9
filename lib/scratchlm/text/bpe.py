"""The tokenizer: text to token ids and back. Chapter: book/text/tokenizer.md.

Ids 0 to 255 of a tokenizer trained here are the bytes, in their order; then
come the merged tokens in the order of their merges, then the special tokens.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Integer, UInt

from scratchlm.text import bpe_training, published, tokenizer_json
from scratchlm.text.bpe_encoding import TextMerger
from scratchlm.text.bpe_vocabulary import BPEVocabulary
from scratchlm.text.exact_table import Numbers
from scratchlm.text.parallel import batches, n_workers, ordered_map
from scratchlm.text.streaming import segments, whole_characters

if TYPE_CHECKING:
    import tiktoken

Ids: TypeAlias = UInt[np.ndarray, "_"]

# Characters below which encode_batch starts no processes (guessed: less than
# a second of work for one).
SMALL_BATCH = 10_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class BPETokenizer(BPEVocabulary):
    """Byte-level byte-pair encoding. Chapter: book/text/tokenizer.md.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no pair merges.
        vocab: the id of each token, given as its bytes.
        merges: the pairs of tokens that merge, first to merge first.
        special_tokens: the id of each special token.
        whole_pieces: a piece that is a token needs no merging.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.

    Source: Sennrich, Haddow and Birch 2016, "Neural Machine Translation of
    Rare Words with Subword Units"; on bytes, Radford et al. 2019, "Language
    Models are Unsupervised Multitask Learners", section 2.2.
    """

    @classmethod
    def train(  # noqa: PLR0913
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        pattern: str = "gpt2",
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
            pattern: ``gpt2``, ``cl100k``, ``o200k`` or a regular expression.
            special_tokens: tokens that no text merges into; the last ids.
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
        return bpe_training.train(
            cls,
            texts,
            vocab_size,
            pattern=pattern,
            special_tokens=special_tokens,
            workers=workers,
            progress=progress,
        )

    def encode(
        self, text: str, *, allowed_special: str | Collection[str] = ()
    ) -> list[int]:
        """Turn text into ids.

        Args:
            text: any text. A lone surrogate, which UTF-8 cannot hold, is
                encoded as U+FFFD.
            allowed_special: the special tokens that the text may hold, or
                ``"all"``.

        Raises:
            ValueError: the text holds a special token that is not allowed.
        """
        ids: list[int] = self._encode(text, allowed_special).tolist()
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """Turn text into ids; special tokens in it are plain text."""
        ids: list[int] = self._text.ids(text).tolist()
        return ids

    def encode_array(
        self, text: str, *, allowed_special: str | Collection[str] = ()
    ) -> UInt[np.ndarray, "T"]:
        """Encode into an array of the smallest type that fits every id.

        Args:
            text: as in :meth:`encode`, which also says what raises.
            allowed_special: as in :meth:`encode`.
        """
        return self._encode(text, allowed_special).astype(self._dtype)

    def encode_arrays(self, texts: Sequence[str]) -> list[Ids]:
        """What :meth:`encode_ordinary` gives for each text, as arrays.

        Many short texts together are faster than one by one.
        """
        return [ids.astype(self._dtype) for ids in self._text.all_ids(texts)]

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
            workers: processes; None takes one per core, or one if that is
                sooner done.
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
        """Encode a stream as if its chunks were joined, in constant memory.

        Args:
            chunks: the text, cut anywhere. With a pattern that is a regular
                expression of your own, nothing is known about how far it
                looks, and the whole stream is held.
            allowed_special: as in :meth:`encode`.

        Raises:
            ValueError: the stream holds a special token that is not allowed;
                the ids of text before it may have been yielded.
        """
        allowed = self.special.allow(allowed_special)
        text = self.special.watch(whole_characters(chunks), allowed)
        for part, name in segments(text, self.cutter, self.special, allowed):
            yield from self._text.ids(part).tolist()
            if name:
                yield self.special_tokens[name]

    def decode(
        self,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        errors: str = "replace",
    ) -> str:
        """Turn ids into text.

        Args:
            ids: ids of this tokenizer, those of special tokens among them.
            errors: what becomes of bytes that are not UTF-8, as in
                ``bytes.decode``: a token may end inside a character.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", errors)

    def decode_bytes(
        self, ids: Iterable[int] | Integer[np.ndarray, "T"]
    ) -> bytes:
        """Turn ids into the bytes that they stand for.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        try:
            ids = ids.tolist() if isinstance(ids, np.ndarray) else ids
            return b"".join(map(self.bytes_of.__getitem__, ids))
        except KeyError as error:
            raise ValueError(
                f"{error.args[0]!r} is not the id of a token; ids are 0 to "
                f"{self.vocab_size - 1}: was the text encoded by another "
                "tokenizer?"
            ) from None

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json`` as Hugging Face's libraries read it.

        Raises:
            ValueError: ``folder`` is a file.
        """
        tokenizer_json.save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> "BPETokenizer":
        """Read ``tokenizer.json`` of a byte-level BPE tokenizer.

        Raises:
            ValueError: the file is missing, corrupt, or does what this class
                does not; the message names the file and what is wrong.
        """
        return tokenizer_json.load(cls, Path(folder))

    @classmethod
    def from_tiktoken(cls, encoding: "tiktoken.Encoding") -> "BPETokenizer":
        """Take over a tiktoken encoding; ids stay as they are."""
        return published.from_tiktoken(cls, encoding)

    def to_tiktoken(self, name: str = "scratchlm") -> "tiktoken.Encoding":
        """Make a tiktoken encoding that gives the same ids.

        Raises:
            ValueError: the ids do not follow the order of the merges.
        """
        return published.to_tiktoken(name, self)

    @classmethod
    def from_gpt2_files(
        cls, vocab_json: str | Path, merges_txt: str | Path
    ) -> "BPETokenizer":
        """Read the two files in which GPT-2 was published.

        Raises:
            ValueError: a file is missing or malformed.
        """
        paths = Path(vocab_json), Path(merges_txt)
        return published.from_gpt2_files(cls, *paths)

    @cached_property
    def _text(self) -> TextMerger:
        return TextMerger(self.cutter, self.rules)

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.min_scalar_type(self.vocab_size - 1)

    def _encode(
        self, text: str, allowed_special: str | Collection[str]
    ) -> Numbers:
        """What :meth:`encode` gives, as an array."""
        allowed = self.special.allow(allowed_special)
        self.special.refuse(text, allowed)
        if not allowed:
            return self._text.ids(text)
        parts = []
        for part, name in self.special.cut(text, allowed):
            parts.append(self._text.ids(part))
            if name:
                parts.append(np.array([self.special_tokens[name]]))
        return np.concatenate(parts)

    def _encode_all(
        self, allowed_special: str | Collection[str], texts: list[str]
    ) -> list[Numbers]:
        if allowed := self.special.allow(allowed_special):
            return [self._encode(text, allowed) for text in texts]
        for text in texts:
            self.special.refuse(text, allowed)
        return self._text.all_ids(texts)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return partial(type(self), **state), ()  # without what is cached
