"""Text in one form, where Unicode has several.

The letter é is one code point, or an e and an accent behind it. A reader sees
no difference, and a tokenizer would spell the two with different tokens.
A normalizer brings text into one form before it is cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, get_args, runtime_checkable
from typing import Literal as OneOf
from unicodedata import normalize

Form = OneOf["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = get_args(Form)


@runtime_checkable
class Normalizer(Protocol):
    """A function of text that a file can name."""

    @property
    def rule(self) -> dict[str, Any]:
        """How ``tokenizer.json`` writes it."""

    def __call__(self, text: str) -> str:
        """The text in its form."""


@dataclass(frozen=True)
class UnicodeForm:
    """One of Unicode's four normal forms.

    Args:
        name: ``NFC`` composes letters with their marks, ``NFD`` takes them
            apart; ``NFKC`` and ``NFKD`` also replace what is only another
            shape of a character, such as a ligature.

    Raises:
        ValueError: the form is none of the four.

    Python and Hugging Face's library each carry an edition of Unicode's
    tables. A mark that only one edition has can come out otherwise.

    Source: Unicode Standard Annex 15, "Unicode Normalization Forms".
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in FORMS:
            raise ValueError(
                f"{self.name!r} is no normal form of Unicode; give one of "
                f"{', '.join(FORMS)}"
            )

    @property
    def rule(self) -> dict[str, Any]:
        """How ``tokenizer.json`` writes it."""
        return {"type": self.name}

    def __call__(self, text: str) -> str:
        """The text in this form."""
        form: Any = self.name
        return normalize(form, text)


def normalizer_rule(normalizers: tuple[Normalizer, ...]) -> Any:
    """What a file says of several normalizers, of one, or of none."""
    if not normalizers:
        return None
    rules = [normalizer.rule for normalizer in normalizers]
    if len(rules) == 1:
        return rules[0]
    return {"type": "Sequence", "normalizers": rules}


def read_normalizers(rule: Any) -> tuple[Normalizer, ...]:
    """The normalizers that a file names.

    Args:
        rule: what stands there; None for none.

    Raises:
        ValueError: one is not of Unicode's forms.
    """
    return tuple(_forms(rule))


def _forms(rule: Any) -> Iterator[UnicodeForm]:
    if not rule:
        return
    if rule["type"] == "Sequence":
        for each in rule["normalizers"]:
            yield from _forms(each)
    elif rule["type"] in FORMS:
        yield UnicodeForm(rule["type"])
    else:
        raise ValueError(f"it has the normalizer {rule}")
