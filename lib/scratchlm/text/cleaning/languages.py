"""Which language a text is in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from scratchlm.foundation.extras import import_failure
from scratchlm.text.cleaning.steps import Rejection


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A language and how sure the identifier is of it.

    Args:
        code: ISO 639-1, as in ``en``.
        confidence: from 0 to 1; the model's, not a measured frequency.
    """

    code: str
    confidence: float


Identifier = Callable[[str], Guess]


def load_identifier() -> Identifier:
    """Load the identifier, whose model comes inside its package.

    About a hundred languages; takes about a
    second, so load it once.

    Raises:
        ValueError: py3langid is not installed.

    Source: Lui and Baldwin 2012, "langid.py: An Off-the-shelf Language
    Identification Tool".
    """
    try:
        from py3langid.langid import (  # noqa: PLC0415
            MODEL_FILE,
            LanguageIdentifier,
        )
    except ImportError as error:
        need = "identifying languages needs py3langid"
        raise ValueError(import_failure(need, "data", error)) from error
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return partial(_guess, model.classify)


def _guess(classify: Callable[[str], tuple[str, float]], text: str) -> Guess:
    code, confidence = classify(text)
    return Guess(code=str(code), confidence=float(confidence))


@dataclass(frozen=True, kw_only=True)
class LanguageStep:
    """Lets the texts of some languages pass.

    Args:
        codes: the languages, as in ``("en",)``.
        min_confidence: below it nothing is known, and the text is rejected.
        min_letters: a text with fewer is too short to tell, and rejected.
        identifier: from a text to a guess.
        name: what the funnel calls it.

    Raises:
        ValueError: there are no codes, or the confidence is out of range.
    """

    codes: tuple[str, ...] = ("en",)
    min_confidence: float = 0.65
    min_letters: int = 40
    identifier: Identifier = field(default_factory=load_identifier)
    name: str = "language"

    def __post_init__(self) -> None:
        if not self.codes or not 0 <= self.min_confidence <= 1:
            raise ValueError(
                f"codes is {self.codes} and min_confidence is "
                f"{self.min_confidence}; give one code or more and a number "
                "from 0 to 1"
            )

    def __call__(self, text: str) -> str | Rejection:
        """Return the text, or which language it seems to be in."""
        letters = sum(map(str.isalpha, text))
        if letters < self.min_letters:
            return Rejection(
                reason=f"{self.name}: {letters} letters, at least "
                f"{self.min_letters} are needed to tell"
            )
        guess = self.identifier(text)
        said = f"{guess.code} at {guess.confidence:.2f}"
        if guess.confidence < self.min_confidence:
            return Rejection(
                reason=f"{self.name}: {said}, at least "
                f"{self.min_confidence:g} is needed"
            )
        if guess.code not in self.codes:
            allowed = ", ".join(self.codes)
            return Rejection(reason=f"{self.name}: {said}, allowed: {allowed}")
        return text
