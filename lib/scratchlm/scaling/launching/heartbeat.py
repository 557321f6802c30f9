"""A file for each rank that says it lives, and in which step it is.

A rank that waits for a slow one, and a rank that waits for a dead one, look
alike from outside. The file tells them apart: a thread of each rank counts
in it once in a second, whatever the rank itself is doing.
"""

import json
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from scratchlm.foundation.durable import write_whole

PERIOD = 1.0  # seconds; guessed: a shared disk bears one write of each rank
State = Literal["alive", "dead", "ended", "failed", "unknown"]
_LAST_WORDS: dict[str, State] = {"ended": "ended", "failed": "failed"}
_BYTES = 256  # of a file: each beat replaces all of the last one's


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What is known of a rank.

    Args:
        rank: which.
        state: ``"alive"``; ``"dead"``, without a last word; ``"ended"``
            when its work was done; ``"failed"``, by an error that it has
            told; or ``"unknown"`` where it has never written.
        host: where it runs; empty if unknown.
        pid: of its process.
        step: in which it is, or was.
        seconds: for how long it had been in this step at its last beat.
    """

    rank: int
    state: State
    host: str = ""
    pid: int = 0
    step: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.state == "unknown":
            return f"rank {self.rank} has never begun"
        return (
            f"rank {self.rank} (process {self.pid} on {self.host}) is "
            f"{self.state}, in step {self.step} for {self.seconds:.0f} "
            f"seconds"
        )


class Heartbeat:
    """Beats from a thread until its block ends.

    Args:
        folder: which all ranks and who asks for them can see.
        rank: of this process.
        period: seconds between two beats.
    """

    def __init__(self, folder: Path, rank: int, *, period: float = PERIOD):
        self.period, self.path = period, beat_file(folder, rank)
        self._step, self._since, self._beats = 0, time.monotonic(), 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    @property
    def step(self) -> int:
        """In which the rank is; set it as it goes on."""
        return self._step

    @step.setter
    def step(self, step: int) -> None:
        self._step, self._since = step, time.monotonic()

    def _go_on(self) -> None:
        while not self._end.wait(self.period):
            self._beat("alive")

    def _beat(self, state: str) -> None:
        self._beats += 1
        told = {
            "state": state,
            "beats": self._beats,
            "step": self._step,
            "seconds": round(time.monotonic() - self._since, 1),
            "pid": os.getpid(),
            "host": socket.gethostname()[:64],
        }
        # One write of a fixed length over the last one: who reads sees the
        # one or the other. It need not outlive the machine.
        os.pwrite(self._file, json.dumps(told).ljust(_BYTES).encode(), 0)

    def __enter__(self) -> "Heartbeat":
        """Begin to beat."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, b"")  # of a rank that was here before
        self._file = os.open(self.path, os.O_WRONLY)
        self._beat("alive")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and say how."""
        self._end.set()
        self._thread.join()
        # Who was asked to end, or whose steps nobody wants, has not failed.
        self._beat("failed" if isinstance(error, Exception) else "ended")
        os.close(self._file)


def beat_file(folder: Path, rank: int) -> Path:
    """Return where a rank's beats are."""
    return folder / f"beat-{rank}.json"


def pulses(
    folder: Path, world: int, *, seconds: float = 2.5 * PERIOD
) -> list[Pulse]:
    """Watch the beats of all ranks for a while.

    No clock of another machine is compared with this one's: a rank lives if
    it beats meanwhile.

    Args:
        folder: in which they beat.
        world: W, how many ranks there are.
        seconds: how long to watch; above the period of the beats.

    Returns:
        Of each rank.
    """
    before = [_read(folder, rank) for rank in range(world)]
    time.sleep(seconds)
    return [
        _pulse(rank, before[rank], _read(folder, rank))
        for rank in range(world)
    ]


def _read(folder: Path, rank: int) -> dict[str, int | float | str]:
    try:
        return json.loads(beat_file(folder, rank).read_bytes() or b"{}")
    except FileNotFoundError:
        return {}


def _pulse(
    rank: int,
    before: dict[str, int | float | str],
    now: dict[str, int | float | str],
) -> Pulse:
    if not now:
        return Pulse(rank=rank, state="unknown")
    beats = [(told.get("pid"), told.get("beats")) for told in (before, now)]
    silent: State = "dead" if beats[0] == beats[1] else "alive"
    state = _LAST_WORDS.get(str(now["state"]), silent)
    return Pulse(
        rank=rank,
        state=state,
        host=str(now["host"]),
        pid=int(now["pid"]),
        step=int(now["step"]),
        seconds=float(now["seconds"]),
    )
