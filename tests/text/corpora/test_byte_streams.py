"""Streams end where their format says, or the file is named."""

import gzip
import io
import sys
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.corpora.byte_streams import (
    CHUNK,
    decode,
    decode_line,
    lines,
    name_of,
    read_chunks,
)

LONG = bytes(range(256)) * 400 + b"end"
PACKERS = {
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_archives_are_read_whole(tmp_path, suffix):
    """A reader that stops at the first of several joined archives, at an
    empty one, or at the padding after the last."""
    pack = PACKERS[suffix]
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(pack(LONG) + pack(b"") + pack(b"more") + b"\0" * 512)
    assert b"".join(read_chunks(path)) == LONG + b"more"
    path.write_bytes(pack(b""))
    assert b"".join(read_chunks(path)) == b""


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_cut_archive_is_never_taken_for_a_whole_one(tmp_path, suffix):
    """zstandard's own reader reports the end of the file as the end of the
    data; three quarters of a corpus then train without a word."""
    packed = PACKERS[suffix](LONG)
    path = tmp_path / f"a.txt{suffix}"
    for size in {*range(0, len(packed), 97), len(packed) - 1}:
        path.write_bytes(packed[:size])
        with pytest.raises(ValueError, match=r"a\.txt\S+ (was cut|is dam)"):
            b"".join(read_chunks(path))


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_cut_second_archive_is_found_too(tmp_path, suffix):
    """A check that looks at the first frame alone."""
    pack = PACKERS[suffix]
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(pack(b"whole") + pack(LONG)[:-9])
    with pytest.raises(ValueError, match="cut short"):
        b"".join(read_chunks(path))


@pytest.mark.parametrize("suffix", PACKERS)
def test_damage_is_placed(tmp_path, suffix):
    """A traceback from a library that does not know the file's name."""
    packed = bytearray(PACKERS[suffix](LONG))
    packed[len(packed) // 2] ^= 0x55
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(packed)
    with pytest.raises(ValueError, match=r"damaged: .* bytes read; download"):
        b"".join(read_chunks(path))
    path.write_bytes(b"plain text under a wrong name")
    with pytest.raises(ValueError, match="damaged"):
        b"".join(read_chunks(path))


def test_memory_stays_small_however_well_it_compressed(tmp_path):
    """A megabyte chunk of an archive of zeros is a gigabyte."""
    path = tmp_path / "a.txt.gz"
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(64)]
    path.write_bytes(b"".join(parts) + packer.flush())
    sizes = [len(part) for part in read_chunks(path)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) < 32 << 20


def test_without_zstandard_the_extra_is_named(tmp_path, monkeypatch):
    """A ModuleNotFoundError tells nobody what to install."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ValueError, match=r"scratchlm\[data\]"):
        read_chunks(tmp_path / "a.txt.zst")


@given(st.text(), st.integers(1, 9))
def test_characters_survive_any_cut(text, size):
    """A character of three bytes, two in one chunk and one in the next."""
    data = text.encode()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    path = Path("a.txt")
    assert "".join(decode(iter(chunks), path)) == text.removeprefix("\ufeff")


@given(st.text(), st.integers(1, 9))
def test_the_offset_of_a_bad_byte_is_exact(text, size):
    """An offset within the chunk, which is no place in the file."""
    good = text.encode()
    data = good + b"\xff" + good
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    with pytest.raises(ValueError, match=f"byte {len(good):,} of a.txt is"):
        list(decode(iter(chunks), Path("a.txt")))


def test_wrong_encodings_get_the_right_advice():
    """Latin-1, UTF-16 and a text cut in the middle of a character."""
    path = Path("a.txt")
    for data, advice in [
        ("café!".encode("latin1"), "0xe9.*iconv -f latin1"),
        ("hello".encode("utf-16"), "0xff.*iconv -f utf-16"),
        ("é".encode()[:1], "0xc3.*unexpected end"),
    ]:
        with pytest.raises(ValueError, match=advice):
            list(decode(iter([data]), path))
        with pytest.raises(ValueError, match=f"line 7, .*{advice}"):
            decode_line(data, 7, path)


def test_the_mark_of_windows_is_no_character():
    """A vocabulary whose first token is an invisible mark."""
    path = Path("a.txt")
    marked = "\ufeffa\ufeff".encode()
    assert "".join(decode(iter([marked[:2], marked[2:]]), path)) == "a\ufeff"
    assert decode_line(marked, 1, path) == "a\ufeff"
    assert decode_line(marked, 2, path) == "\ufeffa\ufeff"


@given(st.binary(), st.integers(1, 9))
def test_lines_do_not_depend_on_the_chunks(data, size):
    """A line cut by the end of a chunk becomes two."""
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert list(lines(iter(chunks))) == expected


def test_standard_input_is_read_and_named(monkeypatch):
    """A message that calls the standard input '-'."""

    class Stdin:
        buffer = io.BytesIO(b"x" * (CHUNK + 1))

    monkeypatch.setattr(sys, "stdin", Stdin)
    path = Path("-")
    assert b"".join(read_chunks(path)) == b"x" * (CHUNK + 1)
    assert name_of(path) == "standard input"
    assert not Stdin.buffer.closed
