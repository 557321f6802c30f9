"""How large a world is, and what is told of it."""

from dataclasses import dataclass

from scratchlm.text.tinyworld.setting import Size
from scratchlm.text.tinyworld.stories.plots import PLOTS

DOCUMENT_KINDS = (
    "story",
    "story_question",
    "facts",
    "facts_question",
    "sum",
    "sum_question",
)
MOST_DIGITS = 4  # of a term; all numbers up to twice that are kept


@dataclass(frozen=True, kw_only=True)
class WorldConfig(Size):
    """How large a world is, and what is told of it.

    The first six say how often each kind of document is told, relative to
    the others. The rest, and how many people and things there are, may be
    made so small that all documents can be listed.

    Args:
        story: stories that end.
        story_question: stories, each with a question about it.
        facts: pages of the encyclopedia.
        facts_question: questions about facts.
        sum: sums and differences, worked in steps.
        sum_question: questions about sums and differences.
        plots: names of the plots that stories have.
        passing: at most so many things happen by the way at one time, which
            makes stories longer or shorter.
        n_digits: how many digits the terms of a sum may have.
        max_forms: keep so many sentences of each line; None keeps all.
        max_alternatives: keep so many of the words that can stand at one
            place of a sentence; None keeps all.

    Raises:
        ValueError: for a number out of range, or an unknown plot.
    """

    story: int = 36
    story_question: int = 24
    facts: int = 12
    facts_question: int = 8
    sum: int = 12
    sum_question: int = 8
    plots: tuple[str, ...] = tuple(PLOTS)
    passing: int = 2
    n_digits: tuple[int, ...] = (2, 3)
    max_forms: int | None = None
    max_alternatives: int | None = None

    def __post_init__(self) -> None:
        """Check all that was given."""
        super().__post_init__()
        if min(self.weights) < 0 or not any(self.weights):
            raise ValueError(
                f"the weights of {', '.join(DOCUMENT_KINDS)} are "
                f"{self.weights}; give whole numbers from 0, one of them "
                "above it"
            )
        unknown = [plot for plot in self.plots if plot not in PLOTS]
        if unknown or not set(self.plots) - {"journey"}:
            raise ValueError(
                f"plots is {self.plots}; give names among "
                f"{', '.join(PLOTS)}, and not journey alone, since not "
                "everyone has someone to visit"
            )
        digits = self.n_digits
        if not digits or not all(1 <= d <= MOST_DIGITS for d in digits):
            raise ValueError(
                f"n_digits is {digits}; give numbers from 1 to {MOST_DIGITS}"
            )
        if len(set(digits)) < len(digits):
            raise ValueError(f"n_digits is {digits}; give each number once")
        for name, least in (
            ("passing", 0),
            ("max_forms", 1),
            ("max_alternatives", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; give at least {least}")

    @property
    def weights(self) -> tuple[int, ...]:
        """How often each kind is told, in the order of ``DOCUMENT_KINDS``."""
        return tuple(getattr(self, kind) for kind in DOCUMENT_KINDS)
