"""A run that hangs ends by itself, and says which rank the others wait for.

Where one rank does not come to a collective, all others wait in it, and
nothing fails: a scheduler sees a job that runs. So each rank has a clock that
it sets back whenever a step is done. Once the clock runs out, the rank writes
where it stands and ends, and the launcher starts all again.
"""

import faulthandler
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from scratchlm.scaling.collectives.rank_process import stack_file, stack_of
from scratchlm.scaling.launching.stragglers import waits

HUNG = 75  # exit code; that of sysexits.h for what may be tried again
# Seconds for all ranks to write their stacks before the first one ends.
# Guessed: their clocks were set back in the same step.
GRACE = 2.0
_CALL = re.compile(
    r'^  File "(?P<file>.*)", line (?P<line>\d+), in (?P<name>.*)'
    r"(?:\n    (?P<source>.*))?$",
    re.M,
)


class Watchdog:
    """Ends the process where nothing has moved for too long.

    Args:
        folder: for the stacks of all ranks.
        rank: of this process.
        world: W, how many there are.
        seconds: that may pass between two calls of :meth:`moved`: more than
            the longest step, with its checkpoint.
        end: called with an exit code; never returns.
    """

    def __init__(
        self,
        folder: Path,
        rank: int,
        world: int,
        *,
        seconds: float = 600.0,
        end: Callable[[int], object] = os._exit,
    ):
        if not seconds > 0:
            raise ValueError(
                f"seconds is {seconds}; give the time that a step may take, "
                f"above 0"
            )
        self.folder, self.rank, self.world = folder, rank, world
        self.seconds, self._end = seconds, end
        self._changed = threading.Condition()
        self._limit, self._closed = time.monotonic() + seconds, False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def moved(self) -> None:
        """Set the clock back: something has been done."""
        with self._changed:
            self._limit = time.monotonic() + self.seconds
        # Should a call hold Python's lock, then no thread of Python runs.
        faulthandler.dump_traceback_later(
            self.seconds + 2 * GRACE, exit=True, file=self._file
        )

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                left = self._limit - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._closed:
                return
        faulthandler.dump_traceback(self._file, all_threads=True)
        os.fsync(self._file.fileno())
        self._tell(
            f"rank {self.rank} of {self.world} has not ended a step for "
            f"{self.seconds:g} seconds; its stack is in {self._file.name}"
        )
        time.sleep(GRACE)
        hang = read_hang(self.folder, self.world)
        if self.rank == min(hang.stacks, default=self.rank):
            self._tell(str(hang))
        self._end(HUNG)

    @staticmethod
    def _tell(what: str) -> None:
        sys.stderr.write(what + "\n")
        sys.stderr.flush()

    def __enter__(self) -> "Watchdog":
        """Begin to watch."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Kept open: nothing may be missing once the process hangs.
        self._file = stack_file(str(self.folder), self.rank).open("w")
        self.moved()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Watch no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()
        self._file.close()


@dataclass(frozen=True, kw_only=True)
class Hang:
    """Where the ranks of a run stood that hung.

    Args:
        stacks: of each rank that wrote one, the innermost call first.
        waiting: of the ranks that waited for others: for which call.
        world: W, how many ranks there are.
    """

    stacks: dict[int, str]
    waiting: dict[int, str]
    world: int

    @property
    def missing(self) -> list[int]:
        """Ranks that did not come to where others wait."""
        return [rank for rank in range(self.world) if rank not in self.waiting]

    def __str__(self) -> str:
        calls: dict[str, list[int]] = {}
        for rank, call in self.waiting.items():
            calls.setdefault(call, []).append(rank)
        told = [f"{_named(ranks)} in {call}" for call, ranks in calls.items()]
        if not self.missing:
            return (
                "all ranks wait, and not for the same: "
                if len(calls) > 1
                else "all ranks wait in one call, whose messages are lost: "
            ) + "; ".join(told)
        where = "".join(
            f"\nrank {rank} does not wait; it stands in\n{self.stacks[rank]}"
            if rank in self.stacks
            else f"\nrank {rank} has written nothing; it is dead"
            for rank in self.missing
        )
        return f"waiting: {'; '.join(told) or 'none'}{where}"


def read_hang(folder: Path, world: int) -> Hang:
    """Compare where all ranks stand.

    Args:
        folder: with their stacks.
        world: W, how many there are.
    """
    stacks = {}
    for rank in range(world):
        path = stack_file(str(folder), rank)
        # Of all threads the main one stands last.
        last = path.read_text().split("\n\n")[-1] if path.exists() else ""
        if stack := stack_of(last):
            stacks[rank] = stack
    waiting = {
        rank: call
        for rank, stack in stacks.items()
        if (call := _wait_of(stack))
    }
    return Hang(stacks=stacks, waiting=waiting, world=world)


def _wait_of(stack: str) -> str | None:
    """Return the collective that a stack waits in, and who called it."""
    calls = [match.groupdict() for match in _CALL.finditer(stack)]
    for i, call in enumerate(calls):
        if not waits(call["file"], call["source"] or "", innermost=i == 0):
            continue
        # A wait for work that was begun before is called where it stands; a
        # collective, by what is the first outside of PyTorch's file.
        by = next(
            (
                c
                for c in calls[i:]
                if not waits(c["file"], "", innermost=False)
            ),
            call,
        )
        name = calls[calls.index(by) - 1]["name"] if by is not call else "wait"
        return f"{name}, called in {by['name']} ({by['file']}:{by['line']})"
    return None


def _named(ranks: list[int]) -> str:
    plural = "s" if len(ranks) > 1 else ""
    return f"rank{plural} {', '.join(map(str, ranks))}"
