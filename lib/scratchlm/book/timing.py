"""Measure speed so that the rest of the machine has little say in it."""

from collections.abc import Callable, Hashable, Mapping
from time import process_time
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)


def cpu_seconds(
    calls: Mapping[Name, Callable[[], Any]], rounds: int = 5
) -> dict[Name, float]:
    """Return the least processor time that each call took, in seconds.

    The calls take turns: one after the other, a slow spell of the machine
    would fall on one of them and pass for its fault. The clock counts this
    process alone, all threads of it, so it does not run while other programs
    have the processor. They can slow a call down and never speed it up,
    which is why the least is kept. The garbage collector runs as in use;
    timeit turns it off, which flatters whoever makes many objects.

    Args:
        calls: what to time, under their names. Each runs ``rounds`` times.
        rounds: turns of each call.

    Raises:
        ValueError: there is no round to take the least of.
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}; take at least one")
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = process_time()
            call()
            least[name] = min(least[name], process_time() - start)
    return least
