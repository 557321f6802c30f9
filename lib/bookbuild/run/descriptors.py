"""What a cell writes past Python, as its output.

C++ code and programs that a cell starts write to the descriptors of standard
output and error. ipykernel reads those in a thread and loses the race with
the end of the cell one time in ten, so that a warning stopped some builds and
not others. Here the descriptors are files, and are read when the cell ends.
"""

import os
import sys
from typing import Any


class Descriptors:
    """How far standard output and error have been read."""

    def __init__(self) -> None:
        self.read = {fd: os.fstat(fd).st_size for fd in (1, 2)}

    def pass_on(self, *_: object) -> None:
        """Write what is new in the files to Python's streams."""
        for fd, stream in ((1, sys.stdout), (2, sys.stderr)):
            length = os.fstat(fd).st_size - self.read[fd]
            new = os.pread(fd, length, self.read[fd])
            self.read[fd] += len(new)
            stream.write(new.decode(errors="replace"))


def load_ipython_extension(shell: Any) -> None:
    """Pass on what there is after each cell.

    Args:
        shell: the kernel's IPython; its standard output and error are files.
    """
    shell.events.register("post_run_cell", Descriptors().pass_on)
