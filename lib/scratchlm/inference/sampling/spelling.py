"""Text of tokens that come one by one, as far as it is certain.

What a token means for the text can depend on the next one: a character may
have bytes in several tokens, and only a token that is there shows whether
they are one. Text is certain if it stays as it is whatever tokens follow.
"""

import codecs
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from scratchlm.text.subwords.preparation.joining import (
    BYTE_NAMES,
    FaceJoining,
)
from scratchlm.text.subwords.preparation.tokenizer import PreparedTokenizer
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer


@runtime_checkable
class Speller(Protocol):
    """Tokens in, certain text out."""

    def push(self, token: int) -> str:
        """Return what has become certain with this token."""
        ...

    def finish(self) -> str:
        """Return the rest, as no token follows."""
        ...


class ByteSpeller:
    """For tokens that are bytes, whose text is that of all bytes together.

    Args:
        bytes_of: the bytes of a token.
    """

    def __init__(self, bytes_of: Callable[[int], bytes]):
        self.bytes_of = bytes_of
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """Return the characters that are whole."""
        return self.decoder.decode(self.bytes_of(token))

    def finish(self) -> str:
        """Return U+FFFD if the last character is not whole."""
        return self.decoder.decode(b"", final=True)


class TextSpeller:
    """For tokens that are text, each by itself but for two things.

    The first tokens may lose a space, so that some are kept as a head,
    behind which each new token is decoded. And a run of tokens that are
    bytes is decoded together.

    Args:
        tokenizer: that spells the tokens.
    """

    def __init__(self, tokenizer: SubwordTokenizer):
        self.decode = tokenizer.decode
        self.added = frozenset(tokenizer.added_ids.values())
        self.byte_of = byte_tokens(tokenizer)
        # There, one bad byte spoils the whole run.
        joining = getattr(tokenizer, "joining", None)
        self.whole_runs = isinstance(joining, FaceJoining)
        self.head: list[int] = []
        self.begun = False  # whether the head has text, so that it suffices
        self.run: list[int] = []
        self.told = 0  # characters of the run

    def push(self, token: int) -> str:
        """Return the text of a token, and of the bytes before it."""
        if token in self.byte_of:
            self.run.append(token)
            certain = [] if self.whole_runs else self._whole_characters()
            new = self._behind_head(certain)[self.told :]
            self.told += len(new)
            return new
        behind = [*self.run, token]
        new = self._behind_head(behind)[self.told :]
        if not self.begun:
            self.head += behind
            ordinary = [i for i in self.head if i not in self.added]
            self.begun = self.decode(ordinary) != ""
        self.run, self.told = [], 0
        return new

    def finish(self) -> str:
        """Return the text of bytes at the end."""
        return self._behind_head(self.run)[self.told :]

    def _behind_head(self, tokens: list[int]) -> str:
        head = self.decode(self.head)
        return self.decode([*self.head, *tokens])[len(head) :]

    def _whole_characters(self) -> list[int]:
        """The bytes of the run without a character that is not whole."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.decode(bytes(self.byte_of[token] for token in self.run))
        n_open = len(decoder.getstate()[0])
        return self.run[: len(self.run) - n_open]


class LateSpeller:
    """For tokenizers whose text may change from end to end: all at the end.

    Args:
        tokenizer: that spells the tokens.
    """

    def __init__(self, tokenizer: SubwordTokenizer):
        self.decode = tokenizer.decode
        self.tokens: list[int] = []

    def push(self, token: int) -> str:
        """Return nothing; no text is certain."""
        self.tokens.append(token)
        return ""

    def finish(self) -> str:
        """Return all text."""
        return self.decode(self.tokens)


def speller(tokenizer: SubwordTokenizer) -> Speller:
    """Return what spells the tokens of a tokenizer one by one.

    Args:
        tokenizer: of any family.
    """
    if isinstance(tokenizer, BPETokenizer):
        return ByteSpeller(lambda token: tokenizer.decode_bytes([token]))
    joining = getattr(tokenizer, "joining", None)
    if isinstance(tokenizer, UnigramTokenizer) and joining is None:
        return ByteSpeller(
            lambda token: tokenizer.decode([token], "surrogateescape").encode(
                "utf-8", "surrogateescape"
            )
        )
    if isinstance(joining, FaceJoining) and _reaches_back(joining.decoder):
        return LateSpeller(tokenizer)
    return TextSpeller(tokenizer)


def byte_tokens(tokenizer: SubwordTokenizer) -> dict[int, int]:
    """Return the byte of each token that stands for one.

    Args:
        tokenizer: whose tokens are text, but for these.
    """
    if not isinstance(tokenizer, PreparedTokenizer):
        return {}
    vocab: dict[str, int] = getattr(tokenizer, "vocab", {})
    named = {
        vocab[name]: byte for name, byte in BYTE_NAMES.items() if name in vocab
    }
    own = getattr(tokenizer, "byte_ids", ())
    return named | {token: byte for byte, token in enumerate(own)}


def _reaches_back(decoder: dict[str, Any] | None) -> bool:
    """Whether a step behind the one that fuses changes more than the start."""
    steps = _flat(decoder)
    kinds = [step["type"] for step in steps]
    if "Fuse" not in kinds:
        return False
    behind = steps[kinds.index("Fuse") + 1 :]
    return any(
        step["type"] == "ByteFallback"
        or (step["type"] == "Strip" and step["stop"] > 0)
        or (step["type"] == "Replace" and len(step["pattern"]["String"]) != 1)
        for step in behind
    )


def _flat(decoder: dict[str, Any] | None) -> list[dict[str, Any]]:
    if decoder is None:
        return []
    if decoder["type"] == "Sequence":
        return [step for part in decoder["decoders"] for step in _flat(part)]
    return [decoder]
