"""The same work on several processes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from os import _exit, cpu_count
from threading import Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Characters that a process takes at a time. Guessed: large against the 20 ms
# that sending them takes, small against the memory of a laptop.
BATCH = 4_000_000

_function: list[Callable[[Any], Any]] = []  # of a worker process


def n_workers(workers: int | None) -> int:
    """How many processes to use: one per core where the caller gives None.

    Raises:
        ValueError: fewer than one.
    """
    if workers is None:
        return cpu_count() or 1
    if workers < 1:
        raise ValueError(
            f"workers is {workers}; give 1 or more, or None for one per core"
        )
    return workers


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Map over items on several processes, results in the items' order.

    Only a few items are in flight, for together they may exceed memory. The
    function goes to each process once. Where this process is killed, the
    others end too.

    Args:
        function: can be pickled, as can what it takes and returns.
        items: any iterable, read as the work proceeds.
        workers: processes; 1 stays in this one.
    """
    if workers == 1:
        yield from map(function, items)
        return
    running: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(
        workers, initializer=_begin_work, initargs=(function,)
    ) as pool:
        for item in items:
            running.append(pool.submit(_call, item))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Group texts into lists of ``BATCH`` characters or a little more."""
    batch: list[str] = []
    held = 0
    for text in texts:
        batch.append(text)
        held += len(text)
        if held >= BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def once_closed(pipe: int, act: Callable[[], object]) -> None:
    """Act, in a thread, as soon as the other end of a pipe is closed.

    However a process ends, the system closes what it held, so that this
    notices even one that was killed. No process but the one that is watched
    may hold the other end.

    Args:
        pipe: descriptor of the end to read from, which nobody reads.
        act: what to do; called once.
    """

    def watch() -> None:
        wait([pipe])
        act()

    Thread(target=watch, daemon=True).start()


def _begin_work(function: Callable[[Any], Any]) -> None:
    """Keep the function, and end when the parent is killed: a worker waits
    for its next item for ever, and nobody would be left to send one."""
    _function.append(function)
    parent = parent_process()
    if parent is not None:
        once_closed(parent.sentinel, partial(_exit, 1))


def _call(item: Any) -> Any:
    return _function[-1](item)
