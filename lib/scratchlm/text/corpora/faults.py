"""What is wrong with a file, or with one record of it.

A reader hands each fault that it meets to a function. The default raises it;
another may count it and let the reader go on behind it.
"""

from collections.abc import Callable
from typing import NoReturn, TypeAlias


class DataError(ValueError):
    """A fault in what was read.

    Args:
        place: where, as in ``line 7 of a.jsonl``.
        why: what is wrong there, to be read after the place.
        remedy: what to do about it.
    """

    def __init__(self, place: str, why: str, remedy: str):
        super().__init__(f"{place} {why}; {remedy}")
        self.place, self.why, self.remedy = place, why, remedy


class RecordError(DataError):
    """A record that is no document; those behind it can be read."""


class FileError(DataError):
    """A file of which nothing more can be read."""


OnFault: TypeAlias = Callable[[DataError], object]


def raise_fault(fault: DataError) -> NoReturn:
    """End the reading at the first fault.

    Raises:
        DataError: always.
    """
    raise fault


class Skipped:
    """Counts faults, so that a run goes on behind them.

    Args:
        examples: faults to keep, the first ones; the memory does not grow
            with the others.

    Raises:
        ValueError: ``examples`` is negative.
    """

    def __init__(self, examples: int = 100):
        if examples < 0:
            raise ValueError(
                f"examples is {examples}; give 0 to keep the counts alone"
            )
        self.examples = examples
        self.begin()

    def begin(self) -> None:
        """Count from zero, as before a second reading."""
        self.records = 0
        self.files = 0
        self.first: list[DataError] = []

    def __call__(self, fault: DataError) -> None:
        """Count one."""
        if isinstance(fault, FileError):
            self.files += 1
        else:
            self.records += 1
        if len(self.first) < self.examples:
            self.first.append(fault)

    def lines(self) -> list[str]:
        """What was skipped, for a person to read; nothing if nothing was."""
        if not self.records + self.files:
            return []
        counted = f"{_count(self.records, 'record')} skipped"
        if self.files:
            counted += f", and the rest of {_count(self.files, 'file')}"
        more = self.records + self.files - len(self.first)
        return [
            counted,
            *(f"  {fault.place} {fault.why}" for fault in self.first),
            *([f"  and {more:,} more"] if more else []),
        ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
