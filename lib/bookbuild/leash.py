"""Programs that end with the build, however that ends.

A killed build cannot end its children, and an orphan would go on to write
into the folder of the next build. So each program runs below a small process
of ours, ``python -m bookbuild.leash PROGRAM ARGUMENT...``, whose standard
input is a pipe that the build holds. The system closes the pipe with the
build, and the small process then kills its whole group.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from scratchlm.foundation.parallel import once_closed

# -P, lest a file in the folder where it starts pass for a module.
LEASH = (sys.executable, "-P", "-m", "bookbuild.leash")


@contextmanager
def lifeline() -> Iterator[int]:
    """Make a pipe whose other end this process alone holds.

    It closes with the block, or with the process.

    Returns:
        The descriptor that a leash takes as its standard input.
    """
    end, held = os.pipe()
    try:
        yield end
    finally:
        os.close(held)
        os.close(end)


@contextmanager
def leashed(  # noqa: PLR0913
    command: Sequence[str],
    *,
    stdout: int | IO[Any],
    stderr: int | IO[Any],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    end: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run a program, no longer than this block and this process.

    The block's end waits for the program's, an error in the block kills it
    and whatever it started.

    Args:
        command: program and arguments.
        stdout: where its output goes, as for ``subprocess.Popen``.
        stderr: where its messages go.
        cwd: folder that it runs in; this process's own by default.
        env: its environment; this process's own by default.
        end: a lifeline, whose end also ends the program.

    Returns:
        The running process. A program that a signal ended has the status
        that a shell would give it, 128 and the signal's number.
    """
    with (
        lifeline() if end is None else nullcontext(end) as held,
        subprocess.Popen(
            [*LEASH, *command],
            stdin=held,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=env,
            text=True,
            encoding="utf8",
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            # Its end may have come already; macOS then says "not permitted".
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def main() -> int:
    """Run the program that the command line names, on the leash.

    Returns:
        The program's exit status.
    """
    end_all = partial(os.killpg, os.getpgrp(), signal.SIGKILL)
    once_closed(sys.stdin.fileno(), end_all)
    # An interrupt goes to the group and is for the program to answer. A
    # function, because a program would inherit that a signal is ignored.
    signal.signal(signal.SIGINT, lambda *_: None)
    done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False)
    if done.returncode >= 0:
        return done.returncode
    number = -done.returncode
    said = f"{sys.argv[1]} ended by signal {number}"
    print(f"{said}, {signal.strsignal(number)}", file=sys.stderr)
    return 128 + number


if __name__ == "__main__":
    sys.exit(main())
