"""Files that are whole or absent, whatever happens.

A file is written under another name, forced to the disk, and renamed: a name
that can be seen belongs to a file that is finished.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PARTIAL = ".partial"
_REMOVED = ".removed"
_REPLACED = ".replaced"
_CHUNK = 1 << 20  # bytes read at a time; guessed: it fits the cache
_holders: set[tuple[int, Path]] = set()  # processes and their folders


class PartialFile:
    """A file on its way to a name.

    Args:
        path: the name that it will have; until then it ends in ``.partial``.
    """

    def __init__(self, path: Path):
        self.path = path
        self.temporary = path.with_name(path.name + PARTIAL)
        self.hash = hashlib.sha256()
        self.size = 0  # in bytes, of what was written
        self._file = self.temporary.open("wb")

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self.hash.update(data)
        self.size += len(data)
        self._file.write(data)

    def finish(self) -> str:
        """Give the file its name, once the disk has all of it.

        Returns:
            Its sha256, 64 hex digits. The name itself is durable after
            :func:`sync_folder`.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.temporary.replace(self.path)
        return self.hash.hexdigest()

    def discard(self) -> None:
        """Leave nothing of a file that has no name yet."""
        with suppress(OSError):  # a full disk, which refuses the last bytes
            self._file.close()
        self.temporary.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its place when all of it is on disk.

    After an error, or a kill, ``path`` is what it was before. What a kill
    leaves behind has a name that starts with a dot.

    Raises:
        ValueError: the folder does not exist, or ``path`` is a folder.
    """
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a folder" if path.is_dir() else "has no folder"
        raise ValueError(
            f"cannot write {path}: it {problem}; name a file in a folder "
            "that exists"
        )
    handle, partial = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=".partial"
    )
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)  # mkstemp makes private files
        Path(partial).replace(path)
    except BaseException:
        os.unlink(partial)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name shows the old content or the new.

    Raises:
        ValueError: the folder does not exist, or ``path`` is a folder.
        OSError: the disk is full or broken; the error has the file's name.
    """
    try:
        with atomic_file(path) as file:
            file.write(data)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno is not None:  # else nothing but its text is known
            error.filename = str(path)
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill that gets its name when all of it is on disk.

    After an error ``path`` is what it was before. A kill leaves at most
    folders beside it whose names start with a dot, which :func:`tidy`
    removes. A folder that had the name is replaced by two renames: a kill
    between them leaves it at :func:`set_aside`, and ``tidy`` puts it back.

    Raises:
        ValueError: ``path`` is a file, or has no folder.
    """
    if not path.parent.is_dir() or (path.exists() and not path.is_dir()):
        problem = "is a file" if path.exists() else "has no folder"
        raise ValueError(f"cannot write {path}: it {problem}")
    stage = Path(tempfile.mkdtemp(PARTIAL, f".{path.name}.", path.parent))
    try:
        yield stage
        for each in sorted(stage.iterdir()):
            _sync_file(each)
        sync_folder(stage)
        os.chmod(stage, 0o755)  # mkdtemp makes private folders
        _take_name(stage, path)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def _take_name(stage: Path, path: Path) -> None:
    aside = set_aside(path)
    if not path.exists():
        stage.rename(path)
        sync_folder(path.parent)
        return
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    try:
        stage.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    sync_folder(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def set_aside(path: Path) -> Path:
    """Where a folder is while another takes its name."""
    return path.with_name(f".{path.name}{_REPLACED}")


def remove_folder(path: Path) -> None:
    """Remove a folder so that its name never shows a part of it."""
    hidden = Path(tempfile.mkdtemp(_REMOVED, f".{path.name}.", path.parent))
    path.rename(hidden)  # which is empty, and may be replaced
    sync_folder(path.parent)
    shutil.rmtree(hidden)


def tidy(folder: Path) -> None:
    """Clear away what kills left of folders that were made or removed.

    For the one that may write alone, since it cannot tell what a kill left
    from what another is about to finish.

    Args:
        folder: where :func:`atomic_folder` and :func:`remove_folder` work.
    """
    for path in sorted(folder.glob(".*")):
        if not path.is_dir() or path.is_symlink():
            continue
        name = path.name.removeprefix(".").removesuffix(_REPLACED)
        if path.name.endswith(_REPLACED) and not (folder / name).exists():
            path.rename(folder / name)
        elif path.name.endswith((PARTIAL, _REMOVED, _REPLACED)):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def replacing(folder: Path, old: Set[str] = frozenset()) -> Iterator[Path]:
    """Give a place to write files that then take the folder's names.

    After an error the folder is what it was. New names appear first, then
    files are replaced one by one, and old ones go last. A kill between two
    of these leaves whole files, some of them the old ones, and perhaps
    folders beside them whose names start with a dot.

    Args:
        folder: made if it is missing.
        old: names of files that are removed unless they were written.

    Raises:
        ValueError: ``folder`` is a file, or one of the names is a folder's.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder to save into")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=folder, prefix=".saving-"))
    try:
        yield stage
        _take_places(stage, folder, old)
        made = False
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if made:
            folder.rmdir()


def _take_places(stage: Path, folder: Path, old: Set[str]) -> None:
    names = {path.name for path in stage.iterdir()}
    taken = sorted(name for name in names if (folder / name).is_dir())
    if taken:
        raise ValueError(
            f"{', '.join(taken)} in {folder} would be a file and is a "
            "folder; save elsewhere"
        )
    for name in names:
        _sync_file(stage / name)
    new = {name for name in names if not os.path.lexists(folder / name)}
    with _undone_by_an_error(folder, names | old):
        for group in (new, names - new):
            for name in sorted(group):
                (stage / name).replace(folder / name)
            sync_folder(folder)
        for name in sorted(old - names):
            (folder / name).unlink(missing_ok=True)
        sync_folder(folder)


@contextmanager
def _undone_by_an_error(folder: Path, names: Set[str]) -> Iterator[None]:
    there = {name for name in names if os.path.lexists(folder / name)}
    kept = Path(tempfile.mkdtemp(dir=folder, prefix=".replaced-"))
    linked: set[str] = set()  # not what is in `kept`: a copy may be cut short
    try:
        for name in there:
            _link(folder / name, kept / name)
            linked.add(name)
        yield
    except BaseException:
        # Should one of these fail too, what was there is still in `kept`.
        for name in names - there:
            (folder / name).unlink(missing_ok=True)
        for name in linked:
            (kept / name).replace(folder / name)
        shutil.rmtree(kept, ignore_errors=True)
        raise
    shutil.rmtree(kept, ignore_errors=True)


def _link(path: Path, copy: Path) -> None:
    try:
        os.link(path, copy, follow_symlinks=False)
    except OSError:  # not every file system has a second name for a file
        shutil.copy2(path, copy, follow_symlinks=False)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk.

    A rename changes the folder, which is a file of its own.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 hex digits."""
    total = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            total.update(data)
    return total.hexdigest()


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep a second process from writing into the same folder.

    The lock belongs to the process, so that it ends with it, however that
    dies; processes that it forked do not inherit it. The process that holds
    a folder may ask for it again.

    Raises:
        ValueError: another process holds the folder.
    """
    import fcntl  # noqa: PLC0415  # POSIX alone has it

    me = (os.getpid(), folder.resolve())
    if me in _holders:  # closing the file once more would give the lock up
        yield
        return
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"another process is writing into {folder}; wait until it "
                "has finished, or end it, and run the command again"
            ) from None
        _holders.add(me)
        try:
            yield
        finally:
            _holders.remove(me)
