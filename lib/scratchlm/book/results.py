"""Numbers that were measured elsewhere, with where they come from.

A page cannot run what needs a GPU. It reads the number from a file under
``book/results/``, and that file says how to measure it again.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scratchlm.foundation.durable import write_whole

FOLDER = Path(__file__).parents[3] / "book" / "results"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, kw_only=True)
class Result:
    """One measurement and its circumstances.

    Args:
        value: a number, or several of one unit under their names.
        unit: of each number; ``"1"`` where there is none.
        device: what it was measured on, ``"NVIDIA H200"``.
        command: what measures it again, run in the checkout.
        commit: hash of the commit that was measured, 7 to 40 digits.
        date: day of the measurement, ``"2026-11-21"``.

    Raises:
        ValueError: a part is empty, not finite or malformed.
    """

    value: float | int | Mapping[str, float | int]
    unit: str
    device: str
    command: str
    commit: str
    date: str

    def __post_init__(self) -> None:
        parts = {field.name: getattr(self, field.name) for field in PARTS}
        if complaint := _complaint(parts):
            raise ValueError(complaint)
        if isinstance(self.value, Mapping):  # what nobody else can change
            own = MappingProxyType(dict(self.value))
            object.__setattr__(self, "value", own)


PARTS = fields(Result)


def result(name: str, folder: Path = FOLDER) -> Result:
    """Read a recorded number.

    Args:
        name: of the file, without ``.json``.
        folder: where the files are; ``book/results`` of the checkout.

    Raises:
        ValueError: no such file, or not one that :func:`record` writes.
    """
    path = _path(name, folder)
    try:
        data = json.loads(path.read_text("utf8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json")))
        raise ValueError(
            f"no result {name!r} in {folder}; there are: {known or 'none'}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    wanted = {field.name for field in PARTS}
    if not isinstance(data, dict) or set(data) != wanted:
        found = sorted(data) if isinstance(data, dict) else data
        raise ValueError(
            f"{path} holds {found}; it must hold {', '.join(sorted(wanted))}, "
            "as scratchlm.book.results.record writes them"
        )
    if complaint := _complaint(data):
        raise ValueError(f"{path}: {complaint}")
    return Result(**data)


def record(name: str, measured: Result, folder: Path = FOLDER) -> Path:
    """Write a number for the pages to read.

    An earlier one of that name stays whole until the new one is.

    Args:
        name: lower-case words and digits, joined by hyphens.
        measured: the number and its circumstances.
        folder: where to write; made if absent.

    Returns:
        The file's path.

    Raises:
        ValueError: the name is not of that form.
    """
    path = _path(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = {field.name: getattr(measured, field.name) for field in PARTS}
    if isinstance(measured.value, Mapping):
        data["value"] = dict(measured.value)
    write_whole(path, json.dumps(data, indent=2).encode() + b"\n")
    return path


def _path(name: str, folder: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name {name!r} is not of the form attention-h200: "
            "lower-case words and digits, joined by hyphens"
        )
    return folder / f"{name}.json"


def _complaint(parts: Mapping[str, Any]) -> str:
    """Say what is wrong with what a file holds; empty where nothing is."""
    value, commit, day = parts["value"], parts["commit"], parts["date"]
    numbers = list(value.values()) if isinstance(value, Mapping) else [value]
    if not numbers or not all(map(_is_number, numbers)):
        return (
            f"value is {value!r}; give a finite number, or an object of some"
        )
    for name in ("unit", "device", "command"):
        text = parts[name]
        if not isinstance(text, str) or not text.strip():
            return f"{name} is {text!r}; give words"
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        return (
            f"commit is {commit!r}; give 7 to 40 hexadecimal digits, as "
            "`git rev-parse HEAD` does where all is committed"
        )
    if not _is_day(day):
        return f"date is {day!r}; give a day such as 2026-11-21"
    return ""


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _is_day(text: object) -> bool:
    try:
        return date.fromisoformat(str(text)).isoformat() == text
    except ValueError:
        return False
