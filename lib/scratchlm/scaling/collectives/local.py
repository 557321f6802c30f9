"""Ranks on this machine: processes that run one function together."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import (
    Pipe,
    get_all_start_methods,
    get_context,
)
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from traceback import TracebackException
from types import TracebackType
from typing import Any

import cloudpickle
from torch import distributed as dist

from scratchlm.scaling.collectives.rank_process import (
    NO_MORE,
    Place,
    Told,
    packed,
    serve,
    stack_file,
    stack_of,
)

# Seconds. Guessed: how long the ranks that fail after the first one are
# heard, to tell which was first; and how long a stack takes to be written.
GRACE = 0.5
START = 120.0  # in which ranks have to have joined each other
GOODBYE = 5.0  # in which a rank without work has to have ended
# Above the caller's limit, so that the caller is the one who says where the
# ranks stand, and not gloo that it heard nothing.
BEYOND = 60.0


class RankError(RuntimeError):
    """One of the ranks failed, and the others were ended.

    Args:
        rank: which failed first.
        world_size: how many there were.
        told: its traceback, or how it died.
    """

    def __init__(self, rank: int, world_size: int, told: str):
        super().__init__(rank, world_size, told)
        self.rank, self.world_size, self.told = rank, world_size, told

    def __str__(self) -> str:
        return (
            f"rank {self.rank} of {self.world_size} failed first, and the "
            f"others were ended:\n{self.told}"
        )


class RankTimeout(TimeoutError):
    """The ranks did not finish in time, and were ended.

    Args:
        seconds: the limit.
        stacks: by rank, for those that had not finished: where they stood,
            the innermost call first.
    """

    def __init__(self, seconds: float, stacks: dict[int, str]):
        super().__init__(seconds, stacks)
        self.seconds, self.stacks = seconds, stacks

    def __str__(self) -> str:
        where = "".join(
            f"\nrank {rank} stood in\n{stack}"
            for rank, stack in self.stacks.items()
        )
        return (
            f"after {self.seconds:g} seconds these ranks had not finished: "
            f"{', '.join(map(str, self.stacks))}. Find the collective for "
            f"which one waits and the others do not, or give a longer "
            f"timeout.{where}"
        )


class Ranks:
    """Processes that form one process group, and run what they are given.

    A start takes a moment, so that one start serves many calls::

        with Ranks(4) as ranks:
            sums = ranks(sum_of_squares, vectors)

    A function is called as ``function(group, *args)`` with the gloo group of
    all ranks first. It may be one of a notebook's cell, or a closure. A
    script starts ranks below ``if __name__ == "__main__":``, as always with
    :mod:`multiprocessing`.

    Args:
        world_size: W, how many.
        threads: of each, for PyTorch.
        timeout: seconds of one call, after which it counts as hung.

    Raises:
        ValueError: an argument below one, or a timeout of nothing.
    """

    def __init__(
        self, world_size: int, *, threads: int = 1, timeout: float = 300.0
    ):
        for name, n in (("world_size", world_size), ("threads", threads)):
            if n < 1:
                raise ValueError(f"{name} is {n}; give 1 or more")
        if not timeout > 0:
            raise ValueError(
                f"timeout is {timeout}; give the seconds that one call may "
                f"take, above 0"
            )
        self.world_size, self.timeout = world_size, timeout
        self._folder = TemporaryDirectory(prefix="ranks-")
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        try:
            for rank in range(world_size):
                self._start(rank, threads)
            # A busy machine may take longer to start than a call may take.
            self._call(packed((_present, ())), max(timeout, START))
        except RankError as error:
            self._end(0.0)
            raise RankError(
                error.rank,
                world_size,
                f"{error.told}It was about to join the others. A script "
                f'starts ranks below `if __name__ == "__main__":`, since each '
                f"rank reads the script too.",
            ) from None
        except BaseException:
            self._end(0.0)
            raise

    def __call__(self, function: Callable[..., Any], *args: Any) -> list[Any]:
        """Run a function on every rank.

        Args:
            function: called as ``function(group, *args)``; what it prints
                is printed here once all have finished, rank by rank.
            args: the same for all ranks.

        Returns:
            What each rank returned, in their order.

        Raises:
            RankError: a rank raised or died; the traceback is that of the
                first. The ranks have ended.
            RankTimeout: some did not finish; it says where each stood. The
                ranks have ended.
            ValueError: the ranks had ended before.
        """
        if self.ended:
            raise ValueError(
                f"these {self.world_size} ranks have ended; start new ones "
                f"with Ranks({self.world_size})"
            )
        try:
            return self._call(packed((function, args)), self.timeout)
        except BaseException:  # an interrupt too: nothing may stay behind
            self._end(0.0)
            raise

    @property
    def ended(self) -> bool:
        """Whether the ranks were closed, or ended since one had failed."""
        return not self._processes

    def close(self) -> None:
        """End the ranks: those that wait for work by themselves."""
        self._end(GOODBYE)

    def _end(self, seconds: float) -> None:
        """Let ranks end that can in some seconds, and kill the others."""
        limit = time.monotonic() + seconds
        for pipe in self._pipes if seconds else ():
            with suppress(OSError):  # of a rank that is dead already
                pipe.send_bytes(NO_MORE)
        for process in self._processes:
            if seconds:
                process.join(max(0.0, limit - time.monotonic()))
            process.kill()
        for process, pipe in zip(self._processes, self._pipes, strict=True):
            process.join()
            pipe.close()
        self._processes, self._pipes = [], []
        self._folder.cleanup()

    def __enter__(self) -> "Ranks":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, rank: int, threads: int) -> None:
        # A server that has imported all they need forks ranks in an instant.
        # Windows can only spawn, and imports torch once for each.
        ours, theirs = Pipe()
        place = Place(
            rank=rank,
            world_size=self.world_size,
            folder=self._folder.name,
            threads=threads,
            seconds=self.timeout + BEYOND,
        )
        process: BaseProcess
        if "forkserver" in get_all_start_methods():
            context = get_context("forkserver")
            context.set_forkserver_preload(_known())
            process = context.Process(target=serve, args=(place, theirs))
        else:
            process = get_context("spawn").Process(
                target=serve, args=(place, theirs)
            )
        process.daemon = True
        self._pipes.append(ours)
        self._processes.append(process)
        process.start()
        theirs.close()

    def _call(self, work: bytes, seconds: float) -> list[Any]:
        limit = time.monotonic() + seconds
        for pipe in self._pipes:
            try:
                pipe.send_bytes(work)
            except OSError:
                break  # its death is seen below
        told: dict[int, Told] = {}
        while len(told) < self.world_size:
            left = limit - time.monotonic()
            if not self._listen(told, left):
                waiting = sorted({*range(self.world_size)} - {*told})
                raise RankTimeout(seconds, self._stacks(waiting))
            if self._failed(told):
                self._raise_first(told)
        for rank in range(self.world_size):
            _show(rank, told[rank].printed)
        return [told[rank].result for rank in range(self.world_size)]

    def _listen(self, told: dict[int, Told], seconds: float) -> bool:
        """Take in what ranks say; False where none did in time."""
        pipes = {
            pipe: rank
            for rank, pipe in enumerate(self._pipes)
            if rank not in told
        }
        # A dead rank's pipe is at its end, which ``wait`` reports too.
        ready = wait([*pipes], max(0.0, seconds))
        for pipe, rank in pipes.items():
            if pipe not in ready:
                continue
            try:
                told[rank] = cloudpickle.loads(pipe.recv_bytes())
            except (EOFError, ConnectionResetError):
                told[rank] = self._death(rank)
        return bool(ready)

    def _death(self, rank: int) -> Told:
        process = self._processes[rank]
        process.join(GRACE)
        code = process.exitcode
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        else:
            how = f"ended with exit code {code} in the middle of its work"
        # The others fail because of it, so it is the first whatever the time.
        return Told(at=0.0, printed="", failure=f"the process {how}\n")

    @staticmethod
    def _failed(told: dict[int, Told]) -> dict[int, Told]:
        return {r: t for r, t in told.items() if t.failure is not None}

    def _raise_first(self, told: dict[int, Told]) -> None:
        """Hear the ranks that fail a moment later, and raise the first."""
        limit = time.monotonic() + GRACE
        while len(told) < self.world_size and self._listen(
            told, limit - time.monotonic()
        ):
            continue
        failed = self._failed(told)
        first = min(failed, key=lambda rank: failed[rank].at)
        for rank in sorted(told):
            _show(rank, told[rank].printed)
        told_first = failed[first].failure
        if isinstance(told_first, TracebackException):
            told_first = "".join(told_first.format())
        raise RankError(first, self.world_size, told_first or "")

    def _stacks(self, ranks: list[int]) -> dict[int, str]:
        if not hasattr(signal, "SIGUSR1"):
            return dict.fromkeys(ranks, "  (not known on this system)")
        for rank in ranks:
            pid = self._processes[rank].pid
            assert pid is not None
            os.kill(pid, signal.SIGUSR1)
        time.sleep(GRACE)
        return {
            rank: stack_of(stack_file(self._folder.name, rank).read_text())
            for rank in ranks
        }


def run(
    function: Callable[..., Any],
    world_size: int,
    *args: Any,
    threads: int = 1,
    timeout: float = 300.0,
) -> list[Any]:
    """Start ranks, run a function on each, and end them.

    Args:
        function: called as ``function(group, *args)``.
        world_size: W, how many ranks.
        args: the same for all ranks.
        threads: of each rank, for PyTorch.
        timeout: seconds until the ranks count as hung.

    Returns:
        What each rank returned, in their order.

    Raises:
        RankError: a rank raised or died.
        RankTimeout: some did not finish.
        ValueError: an argument below one.
    """
    with Ranks(world_size, threads=threads, timeout=timeout) as ranks:
        return ranks(function, *args)


def _known() -> list[str]:
    """The modules of ours that the caller has imported, so that not each rank
    imports them again; without those that only pages and commands use.

    PyTorch's compiler, which its optimizers import, takes longest of all.
    """
    package, _, _ = __name__.partition(".")
    others = tuple(f"{package}.{part}" for part in ("book", "cli"))
    return [
        serve.__module__,
        *(
            name
            for name in sys.modules
            if (name.startswith(f"{package}.") or name == "torch._dynamo")
            and not name.startswith(others)
        ),
    ]


def _present(group: dist.ProcessGroup) -> int:
    return group.rank()


def _show(rank: int, printed: str) -> None:
    for line in printed.splitlines():
        sys.stdout.write(f"rank {rank}: {line}\n")
