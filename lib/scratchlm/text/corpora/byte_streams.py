"""Bytes from files, decompressed and decoded, in constant memory.

A file that ends too early looks like a file that ends. Each function here
asks the format itself whether it has reached the end, and names the file
and the place where it has not.
"""

import codecs
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

from scratchlm.foundation.extras import import_failure
from scratchlm.text.corpora.faults import FileError, RecordError
from scratchlm.text.corpora.formats import (
    STDIN,
    format_of,
    is_packed,
    kind_of,
    name_of,
    other_kind,
    refuse_other_kinds,
)

# Small, because a compressed chunk may hold 32,768 times its size: zstd can
# say "128 KiB of zeros" in four bytes.
CHUNK = 16_384


def read_chunks(path: Path) -> Iterator[bytes]:
    """The contents of a file part by part, decompressed by its suffix.

    Args:
        path: a file, or ``-`` for the standard input.

    Raises:
        FileError: a ``.gz`` or ``.zst`` file is damaged or cut short, or the
            contents are known to be no text.
        ValueError: the suffix is none of ours.
    """
    packed = format_of(path).packed
    raw = _raw_chunks(path)
    if packed == ".gz":
        raw = _decompressed(raw, path, _gzip_frame, zlib.error)
    elif packed == ".zst":
        new_frame, error = _zstd_frames()
        raw = _decompressed(raw, path, new_frame, error)
    return refuse_other_kinds(raw, path, packed)


def _raw_chunks(path: Path) -> Iterator[bytes]:
    stdin = str(path) == STDIN
    with nullcontext(sys.stdin.buffer) if stdin else path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


# What zlib and zstandard call a decompression object: ``decompress(data)``,
# ``eof`` once the end mark of the frame was read, and ``unused_data`` after.
NewFrame = Callable[[], Any]


def _gzip_frame() -> Any:
    return zlib.decompressobj(wbits=31)  # 16 for gzip's header, 15 the window


def import_zstandard() -> Any:
    """The package that reads and writes .zst.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import zstandard  # noqa: PLC0415  (optional)
    except ImportError as error:
        need = "reading and writing .zst needs zstandard"
        raise ValueError(import_failure(need, "data", error)) from error
    return zstandard


def _zstd_frames() -> tuple[NewFrame, type[Exception]]:
    zstandard = import_zstandard()
    # Archives written with `zstd --long=31` ask for this window.
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
    return decompressor.decompressobj, zstandard.ZstdError


def _decompressed(
    raw: Iterator[bytes],
    path: Path,
    new_frame: NewFrame,
    error: type[Exception],
) -> Iterator[bytes]:
    """Frame after frame: concatenated archives are one archive."""
    frame, read, inside = new_frame(), 0, False
    for chunk in raw:
        data, read = chunk, read + len(chunk)
        while data:
            if not inside and not data.strip(b"\0"):
                break  # padding, which tape drives and some tools add
            try:
                yield frame.decompress(data)
            except error as problem:
                other = kind_of(data) if read == len(data) else None
                if other and not is_packed(other, path):
                    raise other_kind(path, other) from problem
                raise FileError(
                    str(path),
                    f"is damaged: {problem}, within the {read - len(data):,} "
                    f"to {read:,} bytes read",
                    "download or write it again",
                ) from problem
            inside, data = not frame.eof, b""
            if frame.eof:
                data, frame = frame.unused_data, new_frame()
    if inside or not read:
        raise FileError(
            str(path),
            f"was cut short: it ends after {read:,} bytes, before the end "
            "mark of its compressed data",
            "download or write it again",
        )


def decode(chunks: Iterator[bytes], path: Path) -> Iterator[str]:
    """Decode UTF-8 part by part, without the byte order mark of Windows.

    Raises:
        FileError: bytes that are not UTF-8, with their offset.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, first = 0, True
    for chunk in chain(chunks, [b""]):
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = offset - held + error.start
            place = f"byte {at:,} of {name_of(path)}"
            raise FileError(place, *_not_utf8(error)) from None
        offset += len(chunk)
        if text:
            yield text.removeprefix("\ufeff") if first else text
            first = False


def decode_line(line: bytes, number: int, path: Path) -> str:
    """Decode one line.

    Raises:
        RecordError: bytes that are not UTF-8, with line and byte.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"line {number:,}, byte {error.start:,} of {name_of(path)}"
        raise RecordError(place, *_not_utf8(error)) from None
    return text.removeprefix("\ufeff") if number == 1 else text


def _not_utf8(error: UnicodeDecodeError) -> tuple[str, str]:
    """What is wrong, and what to do."""
    byte = error.object[error.start]
    why = f"is 0x{byte:02x}, which is not UTF-8 ({error.reason})"
    guess = "utf-16" if error.start < 2 and byte >= 0xFE else "latin1"
    if guess != "utf-16" and b"\0" in error.object:
        return why, (
            "the bytes around it are no text of any encoding; leave the file "
            "out, or unpack it with the program that wrote it"
        )
    return why, (
        "convert the file from the encoding it has, for example with "
        f"iconv -f {guess} -t utf-8"
    )


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream of bytes, without their line feeds."""
    # Parts of a line are joined once: += would copy a long line each time.
    parts: list[bytes] = []
    for chunk in chunks:
        head, *rest = chunk.split(b"\n")
        parts.append(head)
        for part in rest:
            yield b"".join(parts)
            parts = [part]
    if any(parts):
        yield b"".join(parts)
