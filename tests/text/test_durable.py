import hashlib
import os
import subprocess
import sys

import pytest

from scratchlm.text import durable
from scratchlm.text.durable import (
    PartialFile,
    atomic_file,
    only_writer,
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
from scratchlm.text.durable import only_writer
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
