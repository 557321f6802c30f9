"""The most probable segmentation: Unigram.

Each token has a probability, a segmentation the product of those of its
tokens, and a piece is spelled by its most probable segmentation, or by one
drawn at random.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Integer

from scratchlm.text.subwords.unigram.file import (
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
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.spelling import TextSpeller
from scratchlm.text.tokenizer.streaming import well_formed


@dataclass(frozen=True, kw_only=True, eq=False)
class UnigramTokenizer(SubwordTokenizer):
    """Segmentation by a unigram model.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no token reaches.
        scores: the score of each token, a log-probability in nats.
        vocab: the id of each token of ``scores``.
        byte_ids: the ids of the 256 bytes, which spell a character that no
            token has; empty where such a character is unknown.
        unknown_id: the id of a run of characters that nothing spells.
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
        pieces = self.cutter.pieces(well_formed(text))
        return [t for piece in pieces for t in viterbi(piece, self.model)]

    def score(self, text: str) -> float:
        """The score of the best segmentation, in nats."""
        spell = self.model.of.get
        lacking = self.model.unknown
        return sum(spell(token, lacking) for token in self.segment(text))

    def log_likelihood(self, text: str) -> float:
        """The log of the summed probability of all segmentations, in nats."""
        pieces = self.cutter.pieces(well_formed(text))
        return sum(forward(piece, self.model)[-1] for piece in pieces)

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
        pieces = self.cutter.pieces(well_formed(text))
        drawn = (sample(piece, self.model, power, rng) for piece in pieces)
        return [ord(c) for tokens in drawn for c in self._ids_of(tokens)]

    def decode(
        self,
        ids: Iterable[int] | Integer[np.ndarray, "T"],
        errors: str = "replace",
    ) -> str:
        """Turn ids into text.

        Args:
            ids: ids of this tokenizer; the unknown one becomes U+FFFD.
            errors: what becomes of bytes that are not UTF-8, as in
                ``bytes.decode``.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        spelled = b"".join(self._spellings(ids, self._bytes_of))
        return spelled.decode("utf-8", errors)

    @cached_property
    def model(self) -> Scores:
        """The scores, ready to segment text."""
        return Scores(self.scores, self.single_precision)

    @cached_property
    def _bytes_of(self) -> dict[int, bytes]:
        lost = {} if self.unknown_id is None else {self.unknown_id: "\ufffd"}
        texts = lost | {i: token for token, i in self.vocab.items()}
        texts |= {i: name for name, i in self.added_ids.items()}
        return {i: text.encode() for i, text in texts.items()} | {
            i: bytes([byte]) for byte, i in enumerate(self.byte_ids)
        }

    def _spell(self, piece: str) -> str:
        return self._ids_of(viterbi(piece, self.model))

    def _ids_of(self, tokens: list[str]) -> str:
        """The ids of tokens, of which those not in the vocabulary are
        characters that nothing spells."""
        ids: list[int] = []
        for known, group in groupby(tokens, self.vocab.__contains__):
            if known:
                ids += map(self.vocab.__getitem__, group)
            elif self.byte_ids:
                data = "".join(group).encode()
                ids += map(self.byte_ids.__getitem__, data)
            else:
                assert self.unknown_id is not None
                ids.append(self.unknown_id)
        return "".join(map(chr, ids))

    @cached_property
    def _text(self) -> TextSpeller:
        return TextSpeller(self.cutter, self._spell)

    def _check(self) -> None:
        _ = self.model  # made now, so that what is bad raises
        if self.scores.keys() != self.vocab.keys():
            odd = min(self.scores.keys() ^ self.vocab.keys())
            raise ValueError(
                f"the token {odd!r} has a score or an id, but not both"
            )
        if len(self.byte_ids) not in (0, 256):
            raise ValueError(
                f"there are {len(self.byte_ids)} byte_ids; give 256, one for "
                "each byte, or none"
            )
        if not self.byte_ids and self.unknown_id is None:
            raise ValueError(
                "a character without a token would have no id; give "
                "unknown_id or 256 byte_ids"
            )

    def _own_ids(self) -> Collection[int]:
        lost = [] if self.unknown_id is None else [self.unknown_id]
        return [*self.vocab.values(), *self.byte_ids, *lost]

    def _identity(self) -> list[Any]:
        return [
            "unigram",
            self.cutter.expression,
            sorted((t, s.hex()) for t, s in self.scores.items()),
            sorted(self.vocab.items()),
            [self.byte_ids, self.unknown_id, self.single_precision],
            sorted(self.special_tokens.items()),
        ]
