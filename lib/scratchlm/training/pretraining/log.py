"""What a run tells of each step: a row of a file that any program reads.

::

    step,tokens,loss,norm,seconds,held_out
    0,4096,5.545177,1.02,0.31,5.5461
    1,8192,5.493061,0.97,0.6,

A row is one write to the system, so that a kill costs at most a part of the
last; floats have all the digits that give the same bits when they are read.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from scratchlm.foundation.durable import write_whole

STEP = "step"
# Said in full: the tests check types at run time, where 2 is no float.
Number = float | int


@runtime_checkable
class Sink(Protocol):
    """Something else that wants to know what each step gave."""

    def __call__(self, step: int, values: Mapping[str, Number]) -> None:
        """Take the values of a step, by column; what is missing has none."""

    def close(self) -> None:
        """Expect no more."""


class RunLog:
    """The log of one run, which goes on where a checkpoint was made.

    Args:
        path: a ``.csv`` file, in a folder that exists.
        columns: their names, in order; the first is ``step``.
        resumed_at: the step that comes next, in a run that goes on: rows of
            this step and later ones are cut, and the step is made again.
            None for a run that begins, whose file may not exist yet.
        sinks: get each row too, and are closed with the log.

    Raises:
        ValueError: the file is another run's: it has other columns, or is
            there although the run begins; or it is no log.
        OSError: it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        columns: tuple[str, ...],
        *,
        resumed_at: int | None = None,
        sinks: Sequence[Sink] = (),
    ):
        self.path, self.columns, self.sinks = path, columns, sinks
        odd = [name for name in columns if set(name) & set(',"\r\n')]
        if odd or columns[:1] != (STEP,) or len(set(columns)) < len(columns):
            raise ValueError(
                f"the columns are {', '.join(map(repr, columns))}; give each "
                f"a name of its own without quotes and commas, first {STEP!r}"
            )
        self.header = _line(columns)
        self._prepare(resumed_at)
        # Without a buffer: what is written is the system's, and what failed
        # is not written once more when the file is closed.
        self._file = path.open("ab", buffering=0)

    def _prepare(self, resumed_at: int | None) -> None:
        old = self.path.read_bytes() if self.path.exists() else b""
        if resumed_at is None and old:
            raise ValueError(
                f"{self.path} holds the log of a run; resume that one, or "
                "begin in another folder"
            )
        lines = _whole_lines(old)
        if lines and lines[0] != self.header:
            raise ValueError(
                f"{self.path} begins with {_shown(lines[0])}, and this run "
                f"writes {_shown(self.header)}; log to another folder"
            )
        rows = [
            line
            for number, line in enumerate(lines[1:], 2)
            if _step_of(line, self.path, number) < (resumed_at or 0)
        ]
        new = b"".join([self.header, *rows])
        if new != old:
            write_whole(self.path, new)

    def write(self, row: Mapping[str, Number | np.generic | None]) -> None:
        """Write the row of a step.

        Args:
            row: by column; ``step`` is above all before it, and None, and
                what else is missing, is left empty.

        Raises:
            ValueError: there is no such column, or no step.
            OSError: the disk is full; the file is as it was before.
        """
        told = {k: _plain(each) for k, each in row.items() if each is not None}
        strange = row.keys() - set(self.columns)
        if strange or STEP not in told:
            raise ValueError(
                f"a row of {', '.join(row)} does not fit {self.path}, which "
                f"has {', '.join(self.columns)}; the step is always needed"
            )
        self._append(_line([told.get(name, "") for name in self.columns]))
        step = int(told.pop(STEP))
        for sink in self.sinks:
            sink(step, told)

    def _append(self, line: bytes) -> None:
        before = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) < len(line):
                raise OSError(28, "No space left on device")
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(before)
            error.filename = str(self.path)
            raise

    def sync(self) -> None:
        """Force what was written to the disk.

        Before a checkpoint is made: the run that goes on from it then finds
        all rows before it, also after a loss of power.
        """
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file and the sinks."""
        self._file.close()
        for sink in self.sinks:
            sink.close()

    def __enter__(self) -> "RunLog":
        """Begin a block, at whose end the log is closed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()


def _plain(value: Number | np.generic) -> Number:
    whole = isinstance(value, int | np.integer | np.bool_)
    return int(value) if whole else float(value)


def _line(cells: Sequence[Number | str]) -> bytes:
    return (",".join(map(str, cells)) + "\n").encode("utf8")


def _whole_lines(data: bytes) -> list[bytes]:
    """The lines that were written to their ends."""
    lines = data.split(b"\n")[:-1]
    # A loss of power can leave zeros where the last bytes were to come.
    while lines and b"\0" in lines[-1]:
        lines.pop()
    return [line + b"\n" for line in lines]


def _step_of(line: bytes, path: Path, number: int) -> int:
    first = line.partition(b",")[0].strip()
    if not first.isdigit():
        raise ValueError(
            f"line {number} of {path} begins with {_shown(first)} and not "
            "with a step; mend it, or move the file away"
        )
    return int(first)


def _shown(line: bytes) -> str:
    return repr(line.decode("utf8", "replace").strip()[:80])


def read_log(path: Path) -> dict[str, Any]:
    """Read a log, also one that a run is still writing.

    Args:
        path: of the file.

    Returns:
        Each column's name and its values: ``step`` as int64, the others as
        float64, nan where a row has none.

    Raises:
        ValueError: the file is missing, or is no log; the message names the
            line.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"there is no log {path}; give the log.csv of a run")
    try:
        text = b"".join(_whole_lines(path.read_bytes())).decode("utf8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no log: {error}") from None
    names, *rows = list(csv.reader(text.splitlines())) or [[]]
    if not names or names[0] != STEP or len(set(names)) < len(names):
        raise ValueError(
            f"{path} is no log: its first line is {','.join(names)[:80]!r}, "
            f"and a log begins with {STEP}"
        )
    table = np.empty((len(rows), len(names)))
    steps = np.empty(len(rows), np.int64)
    for i, row in enumerate(rows):
        try:
            if len(row) != len(names):
                raise ValueError(f"it has {len(row)} of {len(names)} cells")
            steps[i] = int(row[0])
            table[i] = [float(cell or "nan") for cell in row]
        except (ValueError, OverflowError) as error:
            told = f"line {i + 2} of {path} cannot be read: {error}"
            raise ValueError(told) from None
    back = np.flatnonzero(np.diff(steps) <= 0)
    if len(back):
        at = int(back[0]) + 1
        raise ValueError(
            f"line {at + 2} of {path} is of step {steps[at]}, after step "
            f"{steps[at - 1]}; two runs have written into this file"
        )
    columns = dict(zip(names, table.T.copy(), strict=True))
    return {**columns, STEP: steps}
