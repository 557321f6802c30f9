"""What determines a tokenizer's output. Chapter: book/text/tokenizer.md."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from scratchlm.text.bpe_merge import MergeRules, Pair
from scratchlm.text.pretokenize import Pattern, find_pattern
from scratchlm.text.special import SpecialTokens


@dataclass(frozen=True, kw_only=True, eq=False)
class BPEVocabulary:
    """The state of a tokenizer, as formats exchange it.

    Chapter: book/text/tokenizer.md.

    Args:
        pattern: ``gpt2``, ``cl100k``, ``o200k`` or the regular expression
            that cuts text into pieces, across which no pair merges.
        vocab: the id of each token, given as its bytes.
        merges: the pairs of tokens that merge, first to merge first.
        special_tokens: the id of each special token.
        whole_pieces: a piece that is a token needs no merging.

    Raises:
        ValueError: the parts do not make a tokenizer; the message says why.
    """

    pattern: str
    vocab: dict[bytes, int] = field(repr=False)
    merges: tuple[Pair, ...] = field(repr=False)
    special_tokens: dict[str, int] = field(default_factory=dict)
    whole_pieces: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", self.cutter.name)
        for part in ("rules", "special"):
            getattr(self, part)  # is made now, so that what is bad raises
        if len(self.bytes_of) < len(self.vocab) + len(self.special_tokens):
            raise ValueError(
                "two tokens have the same id; give the special tokens "
                f"{sorted(self.special_tokens)} ids that are free, from "
                f"{max(self.vocab.values()) + 1} on"
            )

    @cached_property
    def cutter(self) -> Pattern:
        """The pattern, ready to cut text."""
        return find_pattern(self.pattern)

    @cached_property
    def rules(self) -> MergeRules:
        """The merges, ready to apply."""
        return MergeRules(self.vocab, self.merges, self.whole_pieces)

    @cached_property
    def special(self) -> SpecialTokens:
        """The special tokens, ready to be found."""
        return SpecialTokens(self.special_tokens)

    @cached_property
    def bytes_of(self) -> dict[int, bytes]:
        """The bytes of each id, special tokens among them."""
        return {i: token for token, i in self.vocab.items()} | {
            i: name.encode() for name, i in self.special_tokens.items()
        }

    @property
    def vocab_size(self) -> int:
        """The rows of an embedding, one more than the highest id."""
        return max(self.bytes_of) + 1

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that determines the output, 64 hex digits."""
        parts = [
            self.cutter.expression,
            sorted((i, token.hex()) for token, i in self.vocab.items()),
            [(left.hex(), right.hex()) for left, right in self.merges],
            sorted(self.special_tokens.items()),
            self.whole_pieces,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


Vocabulary = TypeVar("Vocabulary", bound=BPEVocabulary)
