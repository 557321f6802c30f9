"""The normalisers that a ``tokenizer.json`` names."""

import base64
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import regex

from scratchlm.text.subwords.preparation.charsmap import Charsmap
from scratchlm.text.tokenizer.oniguruma import from_oniguruma
from scratchlm.text.tokenizer.patterns import WHITE_SPACE

Rewrite = Callable[[str], str]

_LEADING = regex.compile(rf"\A[{WHITE_SPACE}]+")
_TRAILING = regex.compile(rf"[{WHITE_SPACE}]+\Z")
_CLUSTER = regex.compile(r"\X")
# A longer cluster of combined characters is replaced one by one.
_LONGEST_CLUSTER = 5  # bytes


class Precompiled:
    """Sentencepiece's packed rules, as tokenizers applies them.

    Each *grapheme cluster*, a character with the marks that combine with it,
    is replaced as a whole by the shortest rule that begins it; one without a
    rule, or longer than five bytes, is replaced character by character.
    sentencepiece takes the longest rule instead, so the two differ where
    marks follow a character that has a rule.

    Source: the crate spm_precompiled, version 0.1.
    """

    def __init__(self, data: bytes):
        self._rules = Charsmap(data)
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        return "".join(map(self._replace, _CLUSTER.findall(text)))

    def _replace(self, cluster: str) -> str:
        if cluster not in self._known:
            whole = None
            if len(cluster.encode()) <= _LONGEST_CLUSTER:
                whole = self._rules.shortest(cluster)
            self._known[cluster] = (
                "".join(map(self._replace_one, cluster))
                if whole is None
                else whole
            )
        return self._known[cluster]

    def _replace_one(self, character: str) -> str:
        found = self._rules.shortest(character)
        return character if found is None else found


@dataclass(frozen=True, kw_only=True)
class Replace:
    """Replaces a string, or what a regular expression matches."""

    pattern: str
    content: str
    is_regex: bool

    def __call__(self, text: str) -> str:
        if not self.is_regex:
            return text.replace(self.pattern, self.content)
        return self._compiled.sub(lambda _: self.content, text)

    @cached_property
    def _compiled(self) -> regex.Pattern[str]:
        return oniguruma(self.pattern)


def oniguruma(expression: str) -> regex.Pattern[str]:
    """An expression as Hugging Face's library reads it.

    Raises:
        ValueError: it is malformed, or holds what the two engines read in
            different ways.
    """
    try:
        return regex.compile(from_oniguruma(expression))
    except regex.error as error:
        raise ValueError(f"bad pattern {expression!r}: {error}") from error


def _prepend(prefix: str, text: str) -> str:
    return prefix + text if text else text


def _strip(left: bool, right: bool, text: str) -> str:
    text = _LEADING.sub("", text) if left else text
    return _TRAILING.sub("", text) if right else text


def _lower(text: str) -> str:
    return "".join(c.lower() for c in text)  # the whole would see final sigma


def _without_marks(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] != "M")


def rewrites(  # noqa: PLR0911
    normalizer: dict[str, Any] | None,
) -> list[Rewrite]:
    """The steps of a normaliser.

    Args:
        normalizer: the field of that name in a ``tokenizer.json``.

    Raises:
        ValueError: a step is none that this package knows.
    """
    if normalizer is None:
        return []
    match normalizer:
        case {"type": "Sequence", "normalizers": parts}:
            return [step for part in parts for step in rewrites(part)]
        case {"type": "Precompiled", "precompiled_charsmap": packed}:
            data = base64.b64decode(packed)
            return [Precompiled(data)] if data else []
        case {"type": "Replace", "pattern": {"String": old}, "content": new}:
            return [Replace(pattern=old, content=new, is_regex=False)]
        case {"type": "Replace", "pattern": {"Regex": old}, "content": new}:
            _ = oniguruma(old)  # made now, so that a bad one raises
            return [Replace(pattern=old, content=new, is_regex=True)]
        case {"type": "Prepend", "prepend": prefix}:
            return [partial(_prepend, prefix)]
        case {"type": "Strip", "strip_left": left, "strip_right": right}:
            return [partial(_strip, left, right)]
        case {"type": "NFC" | "NFD" | "NFKC" | "NFKD" as form}:
            return [partial(unicodedata.normalize, form)]
        case {"type": "Lowercase"}:
            return [_lower]
        case {"type": "StripAccents"}:
            return [_without_marks]
    raise ValueError(f"it has the normalizer {normalizer}")
