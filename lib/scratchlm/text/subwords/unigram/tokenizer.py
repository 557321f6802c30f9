"""The most probable segmentation: Unigram.

Each token has a probability, a segmentation the product of those of its
tokens, and a piece is spelled by its most probable segmentation, or by one
drawn at random.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer

from scratchlm.text.subwords.preparation.joining import BYTE_NAMES
from scratchlm.text.subwords.preparation.tokenizer import (
    PreparedTokenizer,
)
from scratchlm.text.subwords.unigram.file import (
    NAME_OF_UNKNOWN,
    unigram_document,
    unigram_fields,
)
from scratchlm.text.subwords.unigram.lattice import (
    Scores,
    forward,
    sample,
    viterbi,
)
from scratchlm.text.subwords.unigram.training import train_unigram
from scratchlm.text.tokenizer.spelling import TextSpeller
from scratchlm.text.tokenizer.streaming import well_formed


@dataclass(frozen=True, kw_only=True, eq=False)
class UnigramTokenizer(PreparedTokenizer):
    """Segmentation by a unigram model.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no token reaches.
        rewriting: rewrites the text before it is cut.
        joining: makes text of tokens; None joins what they spell.
        scores: the score of each token, a log-probability in nats.
        vocab: the id of each token; one without a score is only decoded.
        byte_ids: the ids of the 256 bytes, which spell a character that no
            token has; empty where such a character is unknown.
        unknown_id: the id of a run of characters that nothing spells.
        unknown_score: what such a character counts for; None takes the
            lowest score less ten.
        single_precision: add scores as sentencepiece does, which decides
            between segmentations of equal probability. tokenizers adds them
            in double precision, and so does a tokenizer that it wrote.
        special_tokens: the id of each special token.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.

    Source: Kudo 2018, "Subword Regularization: Improving Neural Network
    Translation Models with Multiple Subword Candidates", section 3.
    """

    scores: dict[str, float] = field(repr=False)
    vocab: dict[str, int] = field(repr=False)
    byte_ids: tuple[int, ...] = field(default=(), repr=False)
    unknown_id: int | None = None
    unknown_score: float | None = None
    single_precision: bool = False

    _kind: ClassVar[str] = "unigram tokenizer"
    _document_of = staticmethod(unigram_document)
    _fields_of = staticmethod(unigram_fields)

    @classmethod
    def train(  # noqa: PLR0913
        cls,
        texts: Iterable[str],
        vocab_size: int,
        *,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (),
        byte_fallback: bool = True,
        coverage: float = 0.9999,
        n_seeds: int | None = None,
        workers: int | None = None,
        progress: bool = False,
    ) -> "UnigramTokenizer":
        """Learn a vocabulary from text.

        Args:
            texts: the documents; no piece crosses from one into the next.
            vocab_size: the bytes or the unknown token, the characters, the
                longer tokens and the special tokens. Where the text repeats
                too little, it is smaller, and a warning says so.
            pattern: ``gpt2``, ``cl100k``, ``o200k`` or a regular expression.
            special_tokens: tokens outside the text; the last ids.
            byte_fallback: spend ids 0 to 255 on the bytes, so that nothing
                is unknown; else id 0 is the unknown token.
            coverage: the share of the text's characters that get tokens.
            n_seeds: substrings to begin with; None takes 20 for each token.
            workers: processes that count pieces; None takes one per core.
            progress: show a progress bar.

        Raises:
            ValueError: ``vocab_size`` has no room for the characters, the
                texts hold nothing, or an option is not as described.
        """
        fields = train_unigram(
            texts,
            vocab_size,
            pattern=pattern,
            special_tokens=special_tokens,
            byte_fallback=byte_fallback,
            coverage=coverage,
            n_seeds=n_seeds,
            workers=workers,
            progress=progress,
        )
        return cls(**fields)

    def segment(self, text: str) -> list[str]:
        """The best segmentation of a text, without ids.

        A character that no token spells stands alone.
        """
        tokens: list[str] = []
        for piece in self._pieces(text):
            if isinstance(piece, int):
                tokens.append(self._name_of[piece])
            else:
                tokens += viterbi(piece, self.model)
        return tokens

    def score(self, text: str) -> float:
        """The score of the best segmentation, in nats."""
        spell = self.model.of.get
        lacking = self.model.unknown
        return sum(
            spell(token, lacking)
            for piece in self._pieces(text)
            if isinstance(piece, str)
            for token in viterbi(piece, self.model)
        )

    def log_likelihood(self, text: str) -> float:
        """The log of the summed probability of all segmentations, in nats."""
        return sum(
            forward(piece, self.model)[-1]
            for piece in self._pieces(text)
            if isinstance(piece, str)
        )

    def sample(
        self, text: str, *, power: float | int, rng: np.random.Generator
    ) -> list[int]:
        """Encode by segmentations drawn at random.

        Args:
            text: any text; special tokens in it are plain text.
            power: what each segmentation's probability is raised to before
                it is drawn; 0 draws all alike, a large one the best.
            rng: where the randomness comes from.

        Raises:
            ValueError: ``power`` is negative or no number.
        """
        if not 0 <= power < float("inf"):
            raise ValueError(
                f"power is {power}; give 0 or more, such as 0.2; encode gives "
                "the best segmentation"
            )
        ids: list[int] = []
        for piece in self._pieces(text):
            if isinstance(piece, int):
                ids.append(piece)
            else:
                drawn = sample(piece, self.model, power, rng)
                ids += map(ord, self._ids_of(drawn))
        return ids

    def decode(
        self,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        errors: str = "replace",
    ) -> str:
        """Turn ids into text.

        Args:
            ids: ids of this tokenizer; the unknown one becomes U+FFFD.
            errors: what becomes of bytes that are not UTF-8, as in
                ``bytes.decode``. ``joining``, where there is one, decides
                on both itself.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        if self.joining is not None:
            return self._decoded(self.joining, ids, self._name_of)
        spelled = b"".join(self._spellings(ids, self._bytes_of))
        return spelled.decode("utf-8", errors)

    @cached_property
    def model(self) -> Scores:
        """The scores, ready to segment text."""
        return Scores(self.scores, self.single_precision, self.unknown_score)

    @cached_property
    def _name_of(self) -> dict[int, str]:
        names = dict(zip(self.byte_ids, BYTE_NAMES, strict=False))
        if self.unknown_id is not None:
            names[self.unknown_id] = NAME_OF_UNKNOWN
        for known in (self.vocab, self.special_tokens):
            names |= {i: name for name, i in known.items()}
        return names

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        lost = {} if self.unknown_id is None else {self.unknown_id: "\ufffd"}
        texts = lost | {i: token for token, i in self.vocab.items()}
        texts |= {i: name for name, i in self.added_ids.items()}
        return {i: text.encode() for i, text in texts.items()} | {
            i: bytes([byte]) for byte, i in enumerate(self.byte_ids)
        }

    def _pieces(self, text: str) -> Iterator[str | int]:
        """The pieces of a text, and ids of tokens that no model spells."""
        for part in self.rewriting.parts(well_formed(text), {}):
            if isinstance(part, int):
                yield part
            else:
                yield from self.cutter.pieces(part)

    def _spell(self, piece: str) -> str:
        return self._ids_of(viterbi(piece, self.model))

    def _ids_of(self, tokens: list[str]) -> str:
        """The ids of tokens, some of which may be characters that nothing
        spells, or the name of the unknown token."""
        ids: list[int] = []
        for known, group in groupby(tokens, self._is_known):
            if known:
                ids += map(self.vocab.__getitem__, group)
                continue
            text = "".join(group)
            if self.byte_ids and text not in self.vocab:
                ids += map(self.byte_ids.__getitem__, text.encode())
            else:
                assert self.unknown_id is not None
                ids.append(self.unknown_id)
        return "".join(map(chr, ids))

    def _is_known(self, token: str) -> bool:
        i = self.vocab.get(token)
        return i is not None and i != self.unknown_id

    @cached_property
    def _text(self) -> TextSpeller:
        return TextSpeller(self.cutter, self._spell)

    def _check(self) -> None:
        _ = self.model  # made now, so that what is bad raises
        odd = self.scores.keys() - self.vocab.keys()
        if odd:
            raise ValueError(f"the token {min(odd)!r} has a score, but no id")
        if len(self.byte_ids) not in (0, 256):
            raise ValueError(
                f"there are {len(self.byte_ids)} byte_ids; give 256, one for "
                "each byte, or none"
            )
        wrong = [
            name
            for name, i in zip(BYTE_NAMES, self.byte_ids, strict=False)
            if self.joining and self.vocab.get(name, i) != i
        ]
        if wrong:
            raise ValueError(f"the byte {wrong[0]} has two ids")
        if not self.byte_ids and self.unknown_id is None:
            raise ValueError(
                "a character without a token would have no id; give "
                "unknown_id or 256 byte_ids"
            )

    def _has(self, _name: str, _id: int) -> bool:
        """The unknown token may be listed among the special ones."""
        return _id == self.unknown_id

    def _own_ids(self) -> Collection[int]:
        lost = () if self.unknown_id is None else (self.unknown_id,)
        others = [*self.byte_ids, *lost]
        if self.joining is not None:
            # Files of others list the bytes and the unknown token by name.
            named = {*self.vocab.values(), *self.special_tokens.values()}
            others = [i for i in others if i not in named]
        return [*self.vocab.values(), *others]

    def _identity(self) -> list[Any]:
        return [
            "unigram",
            self.cutter.expression,
            sorted((t, s.hex()) for t, s in self.scores.items()),
            sorted(self.vocab.items()),
            [self.byte_ids, self.unknown_id, self.single_precision],
            sorted(self.special_tokens.items()),
            *([] if self.unknown_score is None else [self.unknown_score]),
            *self._rewriting_identity(),
        ]
