"""Settings of a published model, read one by one, and parts spelled out.

PyTorch is not needed.
"""

import inspect
from collections.abc import Mapping
from functools import partial
from sys import float_info
from typing import Any

from scratchlm.interop.files import Problems

Settings = Mapping[str, Any]
MOST = 1 << 16  # layers, or experts; guessed, far above any model's


class Reader:
    """Read settings, and remember what is wrong with each.

    A setting that is missing or null is its default. After a problem the
    reader returns a value that lets the rest be read.

    Args:
        settings: by name, as ``config.json`` holds them.
        problems: takes what is missing, misshapen or unknown here.
    """

    def __init__(self, settings: Settings, problems: Problems):
        self.settings, self.problems = settings, problems

    def size(
        self, name: str, default: int | None = None, *, most: int = 1 << 40
    ) -> int:
        """Return a whole number of at least 1; needed if no default.

        Args:
            name: of the setting.
            default: where it is missing or null.
            most: so that no loop over it takes for ever.
        """
        value = self._given(name, default)
        if type(value) is int and 1 <= value <= most:
            return value
        self.problems.add(
            f"{name} is {value!r}; it must be a count from 1 to {most}"
        )
        return 1

    def layers(self, name: str = "num_hidden_layers") -> int:
        """Return the number of layers."""
        return self.size(name, most=MOST)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a number above 0; needed if no default."""
        value = self._given(name, default)
        # JSON has integers that are larger than any float.
        if type(value) in (int, float) and 0 < value <= float_info.max:
            return float(value)
        self.problems.add(f"{name} is {value!r}; it must be a number above 0")
        return 1.0

    def size_or_none(self, name: str, missing: int | None) -> int | None:
        """Return a count; None where the file says null."""
        value = self.settings.get(name, missing)
        return None if value is None else self.size(name, missing)

    def number_or_none(self, name: str, missing: float | None) -> float | None:
        """Return a number above 0; None where the file says null."""
        value = self.settings.get(name, missing)
        return None if value is None else self.number(name, missing)

    def flag(self, name: str, default: bool) -> bool:
        """Return whether it is so."""
        value = self._given(name, default)
        if type(value) is bool:
            return value
        self.problems.add(f"{name} is {value!r}; it must be true or false")
        return default

    def table(self, name: str) -> dict[str, Any]:
        """Return settings within a setting; empty if there are none."""
        value = self._given(name, {})
        if isinstance(value, dict):
            return value
        self.problems.add(f"{name} is {value!r}; it must be an object")
        return {}

    def only(self, name: str, *allowed: object) -> None:
        """Refuse all values but some, the first of which is the default."""
        value = self._given(name, allowed[0])
        if not any(value == each for each in allowed):
            self.problems.add(
                f"{name} is {value!r}, which is not done here; this reads "
                f"{' or '.join(map(repr, allowed))}"
            )

    def _given(self, name: str, default: object) -> Any:
        value = self.settings.get(name)
        return default if value is None else value


def settings_of(part: object) -> dict[str, Any]:
    """Return what a part is made with, its defaults among it.

    Args:
        part: a class or a function, or a ``functools.partial`` of one.

    Returns:
        Values by name; nothing for an object that is already made.
    """
    given = part if isinstance(part, partial) else partial(_none)
    made = given.func if isinstance(part, partial) else part
    if not inspect.isclass(made) and not inspect.isfunction(made):
        return {}
    bound = inspect.signature(made).bind_partial(*given.args, **given.keywords)
    bound.apply_defaults()
    return dict(bound.arguments)


def spelled(part: Any) -> tuple[Any, dict[str, Any]]:
    """Return a part such that equal ones compare equal.

    Two partials of one class are different objects, even with the same
    settings.
    """
    made = part.func if isinstance(part, partial) else part
    named = settings_of(part).items()
    return made, {name: spelled(value) for name, value in named}


def _none() -> None:
    """Stand for a part that is given without settings."""
