"""Settings of a published model, read one by one, and parts spelled out.

PyTorch is not needed.
"""

import inspect
import warnings
from collections.abc import Mapping
from functools import partial
from sys import float_info
from typing import Any

from scratchlm.interop.files import Problems, listed, shortened

Settings = Mapping[str, Any]
MOST = 1 << 16  # layers, or experts; guessed, far above any model's
ORIGINAL = "original_max_position_embeddings"
# What RoPE's table may hold without a scaling; some of it is refused.
PLAIN_ROPE = frozenset(
    {
        "rope_type",
        "type",
        "rope_theta",
        ORIGINAL,
        "attention_factor",
        "partial_rotary_factor",
        "mscale",
        "mscale_all_dim",
        "truncate",
    }
)


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
            f"{self._told(name, value)}; it must be a count from 1 to {most}"
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
        told = self._told(name, value)
        self.problems.add(f"{told}; it must be a number above 0")
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
        told = self._told(name, value)
        self.problems.add(f"{told}; it must be true or false")
        return default

    def table(self, name: str) -> dict[str, Any]:
        """Return settings within a setting; empty if there are none."""
        value = self._given(name, {})
        if isinstance(value, dict):
            return value
        told = self._told(name, value)
        self.problems.add(f"{told}; it must be an object")
        return {}

    def only(self, name: str, *allowed: object) -> None:
        """Refuse all values but some, the first of which is the default."""
        value = self._given(name, allowed[0])
        if not any(value == each for each in allowed):
            told = self._told(name, value)
            self.problems.add(
                f"{told}, which is not done here; this reads "
                f"{' or '.join(map(repr, allowed))}"
            )

    def _told(self, name: str, value: object) -> str:
        if self.settings.get(name) is None:
            return f"{name} is missing"
        return f"{name} is {shortened(repr(value), 80)}"

    def _given(self, name: str, default: object) -> Any:
        value = self.settings.get(name)
        return default if value is None else value


def rope_table(reader: Reader) -> tuple[str, Reader]:
    """Return RoPE's type, and a reader of its numbers.

    As in transformers, ``rope_scaling`` counts before ``rope_parameters``
    and ``rope_type`` before ``type``, and what the type ``"default"`` does
    not use is passed over, here with a warning.

    Args:
        reader: of all settings; it is told a number that no type explains.
    """
    table = reader.table("rope_scaling") or reader.table("rope_parameters")
    names = [n for n in ("rope_type", "type") if table.get(n) is not None]
    kind = str(table[names[0]]) if names else "default"
    if len({str(table[name]) for name in names}) > 1:
        warnings.warn(
            f"RoPE has the rope_type {shortened(kind, 80)} and another type; "
            "the first counts, and the second should go from config.json",
            stacklevel=2,
        )
    unused = set(table) - PLAIN_ROPE if kind == "default" else set()
    if unused and names:
        warnings.warn(
            f"RoPE has {listed(unused)}, which its type, default, does not "
            "use; name the type that is meant in config.json, if it does",
            stacklevel=2,
        )
    elif unused:
        reader.problems.add(
            f"RoPE has {listed(unused)} and no rope_type; name the type in "
            "config.json: default uses none of it"
        )
    used = {name: v for name, v in table.items() if name not in unused}
    return kind, Reader(used, reader.problems)


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
