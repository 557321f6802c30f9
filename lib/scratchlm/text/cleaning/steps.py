"""What a cleaning pipeline is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a step let a text go no further.

    Args:
        reason: what was found and what is allowed, for a person to read.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A text that goes on, and what was done to it how often.

    Args:
        text: the changed text.
        counts: how many changes of each kind there were, if any.
    """

    text: str
    counts: Mapping[str, int]


@runtime_checkable
class Step(Protocol):
    """What a pipeline is made of."""

    @property
    def name(self) -> str:
        """What the funnel calls it."""

    def __call__(self, text: str) -> str | Counted | Rejection:
        """Return the text that goes on, or why none does."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A step that changes a text and rejects none.

    Args:
        name: what the funnel calls it.
        change: from a text to the text that goes on.
    """

    name: str
    change: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """Return the changed text."""
        return self.change(text)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A number of a text that has to lie in an interval.

    ``dataclasses.replace`` gives the same
    rule with another threshold.

    Args:
        name: what the funnel calls it, and what the number is.
        measure: from a text to the number.
        low: the smallest number allowed.
        high: the largest number allowed.

    Raises:
        ValueError: no number lies between them.
    """

    name: str
    measure: Callable[[str], float | int]
    low: float | int = float("-inf")
    high: float | int = float("inf")

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(
                f"the rule {self.name!r} allows {self.low} to {self.high}, "
                "which is nothing; give low <= high"
            )

    def __call__(self, text: str) -> str | Rejection:
        """Return the text itself, or the number and its bound."""
        value = self.measure(text)
        if value < self.low:
            bound = f"at least {self.low:,g} is allowed"
        elif value > self.high:
            bound = f"at most {self.high:,g} is allowed"
        else:
            return text
        return Rejection(reason=f"{self.name}: {value:,.6g}, {bound}")
