import hashlib
import os
import subprocess
import sys

import pytest

from scratchlm.foundation import durable
from scratchlm.foundation.durable import (
    PartialFile,
    atomic_file,
    atomic_folder,
    only_writer,
    remove_folder,
    replacing,
    set_aside,
    sha256_of,
    tidy,
    write_whole,
)


def test_a_name_appears_with_the_whole_file(tmp_path):
    """A reader that opens a file while it is being written."""
    path = tmp_path / "a"
    file = PartialFile(path)
    file.write(b"one ")
    assert not path.exists()
    file.write(memoryview(b"two"))
    assert file.finish() == hashlib.sha256(b"one two").hexdigest()
    assert path.read_bytes() == b"one two"
    file.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_disk_has_a_file_before_its_name(tmp_path, monkeypatch):
    """A power cut after the rename that leaves a name over zeros: the name
    reached the disk before the bytes did."""
    done = []
    fsync, replace = os.fsync, type(tmp_path).replace

    def note_sync(descriptor):
        done.append("sync")
        fsync(descriptor)

    def note_rename(source, target):
        done.append("rename")
        return replace(source, target)

    monkeypatch.setattr(durable.os, "fsync", note_sync)
    monkeypatch.setattr(type(tmp_path), "replace", note_rename)
    write_whole(tmp_path / "a", b"new")
    assert done == ["sync", "rename", "sync"]  # the last is the folder's


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    """A full disk that costs the file that was there before."""
    path = tmp_path / "a"
    write_whole(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_whole(path, b"new")
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_nothing_appears_before_the_end(tmp_path):
    """A reader that starts early finds half of it."""
    path = tmp_path / "a.bin"
    with atomic_file(path) as file:
        file.write(b"x")
        assert not path.exists()
        (hidden,) = tmp_path.iterdir()
        assert hidden.name.startswith(".a.bin.")
    assert path.read_bytes() == b"x"


def test_sha256_of_a_file(tmp_path, monkeypatch):
    """A last block that is left out."""
    monkeypatch.setattr(durable, "_CHUNK", 10)
    for size in (0, 9, 10, 25):
        (tmp_path / "a").write_bytes(bytes(range(size)))
        expected = hashlib.sha256(bytes(range(size))).hexdigest()
        assert sha256_of(tmp_path / "a") == expected


HOLD = """
import sys
from pathlib import Path
from scratchlm.foundation.durable import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_writer_at_a_time(tmp_path):
    """Two runs of one command, each of which removes the other's files."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(ValueError, match=r"another process.*wait"),
            only_writer(tmp_path),
        ):
            pass
        other.kill()  # however it dies, its lock goes with it
    with only_writer(tmp_path):
        pass


def test_the_one_writer_may_ask_again(tmp_path):
    """A run that holds its folder, saves into it, and holds it no longer:
    to close the same file a second time gives up the lock of the first."""
    with only_writer(tmp_path):
        with only_writer(tmp_path / "." / ""):
            pass
        held = subprocess.run(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert b"another process is writing" in held.stderr
        if not (child := os.fork()):  # a copy of the holder is none
            try:
                with only_writer(tmp_path):
                    os._exit(0)
            except ValueError:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_the_last_bytes_may_be_refused_too(tmp_path):
    """A full disk that is told twice, and a file that stays."""
    file = PartialFile(tmp_path / "a")
    file.write(b"waiting in memory")
    os.close(file._file.fileno())
    file.discard()
    assert list(tmp_path.iterdir()) == []


def fill(path, text):
    with atomic_folder(path) as stage:
        (stage / "file").write_text(text)
        return stage


def told_by(path):
    return {
        p.relative_to(path).as_posix(): p.is_file() for p in path.rglob("*")
    }


def test_a_folder_appears_with_all_its_files(tmp_path):
    """A folder that is read while it is being filled, or that nobody but
    its owner can read."""
    path = tmp_path / "a"
    with atomic_folder(path) as stage:
        (stage / "file").write_text("new")
        assert not path.exists()
        assert stage.name.startswith(".")
    assert told_by(tmp_path) == {"a": False, "a/file": True}
    assert path.stat().st_mode & 0o777 == 0o755
    fill(path, "newer")
    assert told_by(tmp_path) == {"a": False, "a/file": True}
    assert (path / "file").read_text() == "newer"


def test_a_folder_has_its_name_after_its_bytes(tmp_path, monkeypatch):
    """A power cut that leaves a named folder of empty files."""
    done = []
    fsync, rename = os.fsync, type(tmp_path).rename

    def note_sync(descriptor):
        done.append("sync")
        fsync(descriptor)

    def note_rename(source, target):
        done.append("rename")
        return rename(source, target)

    monkeypatch.setattr(durable.os, "fsync", note_sync)
    monkeypatch.setattr(type(tmp_path), "rename", note_rename)
    fill(tmp_path / "a", "new")
    assert done == ["sync", "sync", "rename", "sync"]


def test_an_error_leaves_the_old_folder(tmp_path, monkeypatch):
    """The old folder set aside, and the new one that does not come."""
    fill(tmp_path / "a", "old")
    with pytest.raises(TypeError):
        fill(tmp_path / "a", None)
    assert told_by(tmp_path) == {"a": False, "a/file": True}
    rename = type(tmp_path).rename

    def fail(source, target):
        if source.name.endswith(".partial"):
            raise OSError("no space left on device")
        return rename(source, target)

    monkeypatch.setattr(type(tmp_path), "rename", fail)
    with pytest.raises(OSError, match="no space"):
        fill(tmp_path / "a", "new")
    assert told_by(tmp_path) == {"a": False, "a/file": True}
    assert (tmp_path / "a" / "file").read_text() == "old"


def test_a_folder_needs_its_place(tmp_path):
    """A file of the user's that becomes a folder."""
    (tmp_path / "a").write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        fill(tmp_path / "a", "new")
    with pytest.raises(ValueError, match="has no folder"):
        fill(tmp_path / "b" / "a", "new")
    assert (tmp_path / "a").read_text() == "mine"


def test_a_folder_goes_at_once(tmp_path, monkeypatch):
    """Half of a folder under its name, after a kill while it is removed."""
    fill(tmp_path / "a", "old")
    with monkeypatch.context() as patch:
        patch.setattr(durable.shutil, "rmtree", lambda path: None)  # a kill
        remove_folder(tmp_path / "a")
    (hidden,) = tmp_path.iterdir()
    assert hidden.name.startswith(".a.")
    fill(tmp_path / "a", "new")
    remove_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == [hidden]


def test_what_kills_leave_is_cleared_away(tmp_path):
    """A disk full of half-made folders; the only copy of a folder removed,
    since a kill came between its two renames; a file of another's."""
    for name in (".a.x1.partial", ".a.x2.removed", ".a.replaced"):
        (tmp_path / name).mkdir()
    fill(tmp_path / "a", "new")
    fill(tmp_path / "b", "old")
    (tmp_path / "b").rename(set_aside(tmp_path / "b"))
    (tmp_path / ".c.partial").write_text("a file on its way")
    (tmp_path / ".other").mkdir()
    tidy(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("a", "b", ".c.partial", ".other")
    }
    assert (tmp_path / "b" / "file").read_text() == "old"


def names_in(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def replace(folder, *names, error=None, old=frozenset()):
    with replacing(folder, old) as stage:
        for name in names:
            (stage / name).write_text("new")
        if error is not None:
            raise error


def test_files_take_their_places_together(tmp_path):
    """Half of the new files beside half of the old."""
    (tmp_path / "a").write_text("old")
    with replacing(tmp_path) as stage:
        (stage / "a").write_text("new")
        (stage / "b").write_text("new")
        assert (tmp_path / "a").read_text() == "old"
        assert not (tmp_path / "b").exists()
    assert names_in(tmp_path) == {"a": b"new", "b": b"new"}


def test_an_error_leaves_the_folder_as_it_was(tmp_path):
    """The files that were written before the error; an empty folder."""
    (tmp_path / "a").write_text("old")
    for folder in (tmp_path, tmp_path / "new" / "er"):
        with pytest.raises(KeyError):
            replace(folder, "a", error=KeyError)
    (tmp_path / "new").rmdir()
    assert names_in(tmp_path) == {"a": b"old"}


def test_what_is_in_the_way_is_named(tmp_path):
    """A rename that fails after others have been done."""
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match=r"b in .* is a folder"):
        replace(tmp_path, "a", "b")
    assert [p.name for p in tmp_path.iterdir()] == ["b"]
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        replace(tmp_path / "file", "a")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("last", range(4))
def test_a_rename_that_fails_is_undone(tmp_path, monkeypatch, last, links):
    """New files beside old ones after an error between two renames, or
    while the last of the old ones are removed."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"old {name}")
    before, done = names_in(tmp_path), []

    def fail_at(change):
        def changed(path, *given, **options):
            done.append(path.name)
            if len(done) == last + 1:
                raise OSError("no space left on device")
            return change(path, *given, **options)

        return changed

    kind = type(tmp_path)
    monkeypatch.setattr(kind, "replace", fail_at(kind.replace))
    monkeypatch.setattr(kind, "unlink", fail_at(kind.unlink))
    if not links:
        monkeypatch.setattr(os, "link", failing)
    with pytest.raises(OSError, match="no space left"):
        replace(tmp_path, "b", "a", "new", old={"a", "c"})
    assert done[: last + 1] == ["new", "a", "b", "c"][: last + 1]
    assert names_in(tmp_path) == before


def failing(*given, **options):
    raise OSError("no links here")


def test_a_copy_cut_short_takes_no_place(tmp_path, monkeypatch):
    """A disk that is full while the old file is copied, and half of the
    copy put back in its place."""
    (tmp_path / "a").write_text("old")

    def cut_short(path, copy, **options):
        copy.write_text("ol")
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "link", failing)
    monkeypatch.setattr(durable.shutil, "copy2", cut_short)
    with pytest.raises(OSError, match="no space left"):
        replace(tmp_path, "a")
    assert names_in(tmp_path) == {"a": b"old"}
