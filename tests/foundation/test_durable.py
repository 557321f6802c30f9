import hashlib
import os
import subprocess
import sys

import pytest

from scratchlm.foundation import durable
from scratchlm.foundation.durable import (
    PartialFile,
    atomic_file,
    only_writer,
    replacing,
    sha256_of,
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
        raise OSError("No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
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
