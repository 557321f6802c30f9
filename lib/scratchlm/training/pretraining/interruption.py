"""A run that is asked to end: by Ctrl-C, or by a scheduler's SIGTERM."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """The run ended early because it was asked to, and can be resumed.

    Args:
        message: where it stands.
        number: of the signal.
    """

    def __init__(self, message: str, number: int):
        super().__init__(message)
        self.number = number


class Request:
    """Whether somebody has asked the run to end.

    Args:
        number: of the signal that did; 0 if none.
    """

    def __init__(self, number: int = 0):
        self.number = number

    def __bool__(self) -> bool:
        return self.number != 0


@contextmanager
def requests_to_end(*more: int) -> Iterator[Request]:
    """Note the first Ctrl-C or SIGTERM instead of ending at once.

    The loop looks at it where a checkpoint can be written. A Ctrl-C after
    it ends at once, as always; another SIGTERM does not, since a scheduler
    and a launcher may both send one. Python hands signals to its main thread
    alone; in another one nothing is noted.

    Args:
        more: numbers of signals that are to be noted too.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame: FrameType | None) -> None:
        if request and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.number = request.number or number

    noted = (*SIGNALS, *more)
    before: dict[int, Any] = {n: signal.signal(n, note) for n in noted}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
