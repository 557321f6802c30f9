"""What a name says of a file, and what its first bytes say."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from scratchlm.text.corpora.byte_streams import read_chunks
from scratchlm.text.corpora.faults import FileError
from scratchlm.text.corpora.formats import (
    FORMATS,
    READABLE,
    Format,
    find_format,
    format_of,
    kind_of,
)
from scratchlm.text.corpora.texts import read_texts

LINE = b'{"text": "one"}\n'


def test_every_readable_suffix_has_a_format():
    """A suffix that the messages offer and the reader refuses."""
    for suffix in READABLE:
        found = format_of(Path(f"a.b{suffix.upper()}"))
        assert "".join(found) == suffix
    assert find_format(Path("-")) == Format(".jsonl")


@pytest.mark.parametrize(
    "name", ["a", "a.csv", "a.gz", "a.parquet.gz", "a.txt.xz", ".txt", "a."]
)
def test_an_unknown_suffix_is_refused(name):
    """A guess reads a spreadsheet as prose."""
    with pytest.raises(ValueError, match=r"suffixes \.txt, .*\.parquet"):
        format_of(Path(name))


def packed_line(suffix):
    """A file with one document, whatever its format."""
    if suffix == ".parquet":
        file = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table({"text": ["one"]}), file)
        return file.getvalue()
    data = LINE if FORMATS[suffix].form.startswith((".j", ".n")) else b"one"
    pack = {
        ".gz": gzip.compress,
        ".zst": zstandard.ZstdCompressor().compress,
    }.get(FORMATS[suffix].packed, bytes)
    return pack(data)


@pytest.mark.parametrize("suffix", READABLE)
def test_a_folder_reads_what_is_read_alone(tmp_path, suffix):
    """A folder that skips .ndjson.gz without a word."""
    path = tmp_path / f"part-0.en{suffix}"
    path.write_bytes(packed_line(suffix))
    assert list(read_texts(path)) == ["one"]
    assert list(read_texts(tmp_path)) == ["one"]


def archive(kind):
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("a.jsonl", LINE)
    else:
        with tarfile.open(fileobj=file, mode="w") as packed:
            info = tarfile.TarInfo("a.jsonl")
            info.size = len(LINE)
            packed.addfile(info, io.BytesIO(LINE))
    return file.getvalue()


def arrow_stream():
    file = io.BytesIO()
    table = pyarrow.table({"text": ["one"]})
    with pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return file.getvalue()


def numpy_file():
    file = io.BytesIO()
    np.save(file, np.arange(3))
    return file.getvalue()


DISGUISED = {
    "gzip data": gzip.compress(LINE),
    "zstandard data": zstandard.ZstdCompressor().compress(LINE),
    "bzip2 data": bz2.compress(LINE),
    "xz data": lzma.compress(LINE),
    "a zip archive": archive("zip"),
    "a tar archive": archive("tar"),
    "a parquet table": packed_line(".parquet"),
    "a stream of Arrow tables": arrow_stream(),
    "a numpy array": numpy_file(),
    "an SQLite database": b"SQLite format 3\0" + bytes(84),
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(20),
}


@pytest.mark.parametrize("suffix", [".jsonl", ".txt", ".json.gz", ".txt.zst"])
@pytest.mark.parametrize("what", DISGUISED)
def test_data_under_another_name_is_named(tmp_path, what, suffix):
    """The advice to convert an archive from Latin-1, which succeeds and
    yields rubbish."""
    packed = FORMATS[suffix].packed
    if {".gz": "gzip data", ".zst": "zstandard data"}.get(packed) == what:
        pytest.skip("this is its name")
    path = tmp_path / f"a{suffix}"
    path.write_bytes(DISGUISED[what])
    with pytest.raises(FileError, match=f"a{suffix} holds {what},") as caught:
        list(read_texts(path))
    assert "iconv" not in str(caught.value)
    if what == "gzip data":
        stem = suffix.removesuffix(packed)
        assert f"name it a{stem}.gz, or" in str(caught.value)


@pytest.mark.parametrize("what", DISGUISED)
def test_data_packed_twice_is_named(tmp_path, what):
    """A server that packs what was packed."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(DISGUISED[what]))
    with pytest.raises(FileError, match=rf"holds {what} inside its \.gz"):
        b"".join(read_chunks(path))


@pytest.mark.parametrize(
    "codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_wide_text_is_sent_to_iconv(tmp_path, codec):
    """UTF-16 without its mark is valid UTF-8, half of it zeros."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE.decode().encode(codec))
    with pytest.raises(FileError, match=f"iconv -f {codec[:6]} -t utf-8"):
        list(read_texts(path))


@pytest.mark.parametrize(
    "text",
    ["", "BZh is short for it", "PAR1 was the first", "PK", "GIF89a is old",
     "Rar! he cried", "7z", "ustar" * 200, "\0", "[1]", "a\0b"],
)  # fmt: skip
def test_text_about_such_data_is_text(text):
    """A story that begins with the letters of a format."""
    assert kind_of(text.encode()) is None


def test_what_comes_through_a_pipe_gets_other_advice(monkeypatch):
    """'name it -.gz'."""

    class Stdin:
        buffer = io.BytesIO(gzip.compress(LINE))

    monkeypatch.setattr(sys, "stdin", Stdin)
    with pytest.raises(FileError, match=r"standard input .* gzip data.*bef"):
        list(read_texts("-"))
