"""Which rank is slow, when all take equally long because they wait for it.

::

    rank 0   computes ██████░░░░░░░░░░ waits     a step of all
    rank 1   computes ███████░░░░░░░░░ waits     takes as long
    rank 2   computes ████████████████           as its slowest

So a rank's time counts without what it waits in collectives.
"""

import linecache
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import FrameType, TracebackType

import torch
from jaxtyping import Float
from torch import Tensor
from torch import distributed as dist

# What PyTorch's collectives are called through.
_COLLECTIVES = ("distributed_c10d.py", "_functional_collectives.py")
# The standard deviation of a normal distribution in units of its median
# absolute deviation.
_SIGMA = 1.4826


def waits(file: str, source: str, *, innermost: bool) -> bool:
    """Return whether a call of a stack is the wait for other ranks.

    Args:
        file: of the call.
        source: its line, which may wait for work that was begun before.
        innermost: whether it called nothing else that is Python.
    """
    if Path(file).name in _COLLECTIVES:
        return True
    return innermost and ".wait()" in source


def _frame_waits(frame: FrameType | None) -> bool:
    innermost = True
    while frame is not None:
        file = frame.f_code.co_filename
        # A frame that begins or ends has no line for a moment.
        number = frame.f_lineno or 0 if innermost else 0
        line = linecache.getline(file, number)
        if waits(file, line, innermost=innermost):
            return True
        frame, innermost = frame.f_back, False
    return False


class OwnTime:
    """The seconds in which a thread does not wait for other ranks.

    Another thread looks at its stack some hundred times in a second, so that
    nothing has to be changed in what it watches::

        with OwnTime() as own:
            for batch in batches:
                parallel.step(batch)
                seconds = own.lap()

    It watches the thread that made it. What a GPU computes is not seen: there
    collectives are waited for where its results are.

    Args:
        period: seconds between two looks.
    """

    def __init__(self, *, period: float = 0.005):
        self.period = period
        self._watched = threading.get_ident()
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._own, self._seen = 0.0, perf_counter()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def lap(self) -> float:
        """Return the seconds since the last lap, and begin another one."""
        self._count(waited=False)  # the thread that asks does not wait
        with self._lock:
            own, self._own = self._own, 0.0
        return own

    def _look(self) -> None:
        while not self._end.wait(self.period):
            frame = sys._current_frames().get(self._watched)
            self._count(waited=_frame_waits(frame))

    def _count(self, *, waited: bool) -> None:
        with self._lock:
            now = perf_counter()
            self._own += 0.0 if waited else now - self._seen
            self._seen = now

    def __enter__(self) -> "OwnTime":
        """Begin to look."""
        self._seen = perf_counter()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look no more."""
        self._end.set()
        self._thread.join()


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A rank that others wait for.

    Args:
        rank: which.
        factor: its time over that of the others, both in the median step.
    """

    rank: int
    factor: float

    def __str__(self) -> str:
        return (
            f"rank {self.rank} needs {self.factor:.2g} times what the others "
            f"need for their own part of a step"
        )


def gather_laps(
    laps: Sequence[float], group: dist.ProcessGroup
) -> Float[Tensor, "W k"]:
    """Return the seconds of every rank's last steps.

    Args:
        laps: of this rank, k of them; as many on each rank.
        group: whose ranks take part.
    """
    own = torch.tensor(laps, dtype=torch.float64)
    every = [torch.empty_like(own) for _ in range(group.size())]
    dist.all_gather(every, own, group=group)
    return torch.stack(every)


def slow_ranks(
    seconds: Float[Tensor, "W k"], *, factor: float = 1.3, spreads: float = 3.0
) -> list[Slow]:
    """Find ranks whose steps are slow in the median, not now and then.

    A rank is held against all steps of the others. It is slow if its median
    is above theirs by a factor, and by more than their steps differ among
    themselves, whose spread is the median absolute deviation from the
    median. Up to half of the numbers may be anything without moving either.

    Args:
        seconds: of each rank's own computing, step by step; W is 2 or more.
        factor: what a rank may take, in units of the others' median.
        spreads: how far it may lie above, in standard deviations of theirs.

    Returns:
        The slowest first; none if all are alike.

    Raises:
        ValueError: there is one rank alone, or no step.

    Source: Leys et al. 2013, "Detecting outliers: Do not use standard
    deviation around the mean, use absolute deviation around the median".
    """
    n_ranks, n_steps = seconds.shape
    if n_ranks < 2 or n_steps < 1:
        raise ValueError(
            f"there are {n_steps} steps of {n_ranks} ranks; a rank is slow "
            f"beside others: give 1 step or more of 2 ranks or more"
        )
    found = []
    for rank in range(n_ranks):
        others = seconds[torch.arange(n_ranks) != rank].flatten()
        usual, own = _median(others), _median(seconds[rank])
        spread = _SIGMA * _median((others - usual).abs())
        if own > factor * usual and own - usual > spreads * spread:
            found.append(Slow(rank=rank, factor=own / max(usual, 1e-9)))
    return sorted(found, key=lambda slow: -slow.factor)


def _median(x: Float[Tensor, "n"]) -> float:
    return float(x.double().quantile(0.5))
