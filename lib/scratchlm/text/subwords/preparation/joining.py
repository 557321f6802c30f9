"""Tokens to text: each family writes spaces and bytes in its own way."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from scratchlm.text.subwords.preparation.charsmap import decode_utf8
from scratchlm.text.subwords.preparation.interface import SPACE_MARK

BYTE_NAMES = {f"<0x{byte:02X}>": byte for byte in range(256)}


class Joining(ABC):
    """Makes text of the names of tokens."""

    @abstractmethod
    def join(self, tokens: Sequence[str]) -> str:
        """The text of some tokens, special ones among them."""

    @abstractmethod
    def identity(self) -> Any:
        """All that determines the text, as JSON can hold it."""


@dataclass(frozen=True, kw_only=True)
class SentencePieceJoining(Joining):
    """Tokens to text as sentencepiece does it.

    It leaves control symbols out; here they keep their names, as in every
    tokenizer of this package.

    Args:
        unknown: the name of the unknown token.
        surface: what stands for it in text.
        control: the names of tokens that stand for no text.
        dummy_prefix: the text was given a space before it.
        drop_extra: spaces were left out; so are they here, at the beginning.
        byte_fallback: some tokens are bytes.
    """

    unknown: str
    surface: str
    control: frozenset[str] = frozenset()
    dummy_prefix: bool = False
    drop_extra: bool = False
    byte_fallback: bool = False

    def join(self, tokens: Sequence[str]) -> str:
        parts: list[str] = []
        at_start = True
        for is_byte, run in groupby(tokens, self._is_byte):
            if is_byte:
                parts.append(decode_utf8(bytes(BYTE_NAMES[t] for t in run)))
                at_start = False
                continue
            for token in run:
                text, goes_on = self._text(token, at_start)
                parts.append(text)
                at_start = at_start and goes_on
        return "".join(parts)

    def identity(self) -> Any:
        return [
            "sentencepiece",
            [self.unknown, self.surface, sorted(self.control)],
            [self.dummy_prefix, self.drop_extra, self.byte_fallback],
        ]

    def _is_byte(self, token: str) -> bool:
        return self.byte_fallback and token in BYTE_NAMES

    def _text(self, token: str, at_start: bool) -> tuple[str, bool]:
        """A token's text, and whether the text has still to begin."""
        if token in self.control:
            return token, at_start
        if token == self.unknown:
            return self.surface, False
        shown = token
        if at_start and (self.dummy_prefix or self.drop_extra):
            shown = token.removeprefix(SPACE_MARK)
        return shown.replace(SPACE_MARK, " "), not shown and self.drop_extra


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """Replaces a string in each token."""

    old: str
    new: str

    def __call__(self, tokens: Sequence[str]) -> list[str]:
        return [token.replace(self.old, self.new) for token in tokens]


def fused(tokens: Sequence[str]) -> list[str]:
    """All tokens as one."""
    return ["".join(tokens)]


def bytes_joined(tokens: Sequence[str]) -> list[str]:
    """Runs of bytes as text; of a run that is no UTF-8 each is U+FFFD."""
    joined: list[str] = []
    for is_byte, run in groupby(tokens, BYTE_NAMES.__contains__):
        if not is_byte:
            joined += run
            continue
        data = bytes(BYTE_NAMES[token] for token in run)
        try:
            joined.append(data.decode())
        except UnicodeDecodeError:
            joined += ["\ufffd"] * len(data)
    return joined


@dataclass(frozen=True, kw_only=True)
class Stripped:
    """Takes a character off both ends of each token, up to some times."""

    character: str
    start: int
    stop: int

    def __call__(self, tokens: Sequence[str]) -> list[str]:
        return [self._strip(token) for token in tokens]

    def _strip(self, token: str) -> str:
        for _ in range(self.start):
            token = token.removeprefix(self.character)
        for _ in range(self.stop):
            token = token.removesuffix(self.character)
        return token


@dataclass(frozen=True, kw_only=True)
class Unmarked:
    """Turns marks into spaces, and drops those of the first token."""

    mark: str
    drop_first: bool

    def __call__(self, tokens: Sequence[str]) -> list[str]:
        first, *rest = tokens or [""]
        space = "" if self.drop_first else " "
        return [first.replace(self.mark, space)] + [
            token.replace(self.mark, " ") for token in rest
        ]


@dataclass(frozen=True, kw_only=True)
class FaceJoining(Joining):
    """Tokens to text as a ``tokenizer.json`` says.

    Args:
        decoder: its field of that name; None joins tokens by spaces.

    Raises:
        ValueError: the decoder is none that this package knows.
    """

    decoder: dict[str, Any] | None

    def __post_init__(self) -> None:
        _ = _steps(self.decoder)  # made now, so that what is odd raises

    def join(self, tokens: Sequence[str]) -> str:
        if self.decoder is None:
            return " ".join(tokens)
        for step in _steps(self.decoder):
            tokens = step(tokens)
        return "".join(tokens)

    def identity(self) -> Any:
        return self.decoder


def _steps(  # noqa: PLR0911
    decoder: dict[str, Any] | None,
) -> list[Any]:
    if decoder is None:
        return []
    match decoder:
        case {"type": "Sequence", "decoders": parts}:
            return [step for part in parts for step in _steps(part)]
        case {"type": "Replace", "pattern": {"String": old}, "content": new}:
            return [Replaced(old=old, new=new)]
        case {"type": "ByteFallback"}:
            return [bytes_joined]
        case {"type": "Fuse"}:
            return [fused]
        case {"type": "Strip", "content": c, "start": start, "stop": stop}:
            return [Stripped(character=c, start=start, stop=stop)]
        case {"type": "Metaspace", "replacement": mark}:
            scheme = scheme_of(decoder)
            return [Unmarked(mark=mark, drop_first=scheme != "never")]
    raise ValueError(f"its decoder is {decoder}")


def scheme_of(metaspace: dict[str, Any]) -> str:
    """Where a Metaspace adds a space: ``always``, ``first`` or ``never``.

    Files older than tokenizers 0.15 have ``add_prefix_space``.

    Raises:
        ValueError: it has another scheme.
    """
    old = "always" if metaspace.get("add_prefix_space", True) else "never"
    scheme = str(metaspace.get("prepend_scheme", old)).lower()
    if scheme not in ("always", "first", "never"):
        raise ValueError(f"its prepend_scheme is {scheme!r}")
    return scheme
