"""Tell finished work from unfinished, whatever interrupted it."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bookbuild.run.keys import source_files
from scratchlm.foundation.durable import write_whole

INPUTS = (
    "_config.yml",
    "_toc.yml",
    "pyproject.toml",
    "requirements.lock",
    "book",
    "lib",
)


class StageError(Exception):
    """A step of the build failed; the message says what to look at."""


def input_hash(root: Path) -> str:
    """Hash everything that decides what a build writes.

    The commit counts, because the colophon prints it.

    Args:
        root: folder of the checkout.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    digest.update(_commit(root).encode())
    for name in INPUTS:
        place = root / name
        files = source_files(place) if place.is_dir() else [place]
        for path in files:
            digest.update(str(path.relative_to(root)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _commit(root: Path) -> str:
    command = ["git", "-C", str(root), "log", "-1", "--format=%H %cI"]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # an archive on a machine without git
        return ""
    return ran.stdout.strip()


class Stage:
    """One output of the build, and whether it is finished and current.

    Args:
        name: short name, also that of the stamp.
        build: folder that holds the outputs, ``_build``.
        output: the file or folder that this stage writes.
        inputs: what :func:`input_hash` returned.
        guest: name of a file that a later step puts into the output.
    """

    def __init__(
        self,
        *,
        name: str,
        build: Path,
        output: Path,
        inputs: str,
        guest: str = "",
    ):
        self.guest = guest
        self.name = name
        self.output = output
        self.inputs = inputs
        self.stamp = build / ".stamps" / f"{name}.json"

    def is_current(self) -> bool:
        """Tell whether the output is whole and made from these inputs."""
        try:
            stamp = json.loads(self.stamp.read_text("utf8"))
        except (FileNotFoundError, ValueError):
            return False
        return bool(stamp == self._state())

    def run(self, make: Callable[[Path], None]) -> None:
        """Make the output aside, then put it in its place.

        Until ``make`` returns, the old output stays, but without its
        stamp: an interrupted build never passes for a finished one.

        Args:
            make: writes the output to the path that it is given.
        """
        self.stamp.unlink(missing_ok=True)
        parent = self.output.parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=".new-") as new:
            aside = Path(new) / self.output.name
            make(aside)
            if not aside.exists():
                raise StageError(f"{self.name}: nothing was written")
            if self.output.is_dir():
                self.output.rename(Path(new) / "old")
            aside.replace(self.output)
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.stamp, json.dumps(self._state()).encode())

    def _state(self) -> dict[str, object]:
        """Return the inputs, and the name and size of each output file."""
        digest = hashlib.sha256()
        single = [self.output] if self.output.is_file() else []
        for path in [*single, *source_files(self.output)]:
            if path.name == self.guest:
                continue
            line = f"{path.relative_to(self.output)} {path.stat().st_size}\n"
            digest.update(line.encode())
        return {"inputs": self.inputs, "outputs": digest.hexdigest()}


@contextmanager
def only_build(build: Path) -> Iterator[None]:
    """Keep a second build out of the same folder.

    What an interrupted build left aside is swept away on entry: whatever it
    started has ended with it, and writes no more.

    Args:
        build: the ``_build`` folder; made if absent.

    Raises:
        StageError: another build is at work there.
    """
    build.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(build / ".lock", timeout=0):
            _sweep(build)
            yield
    except Timeout as error:
        raise StageError(
            f"another build is at work in {build}; wait until it ends"
        ) from error


def _sweep(build: Path) -> None:
    for pattern in (".new-*", "*/.new-*", "**/.*.partial"):
        for left in build.glob(pattern):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
