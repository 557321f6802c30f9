"""How a file is written: by the end of its name, and by its first bytes.

One table says what a name means. Everything that asks, whether for one file
or for a folder of them, asks it.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain, product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from scratchlm.text.corpora.faults import FileError

STDIN = "-"


class Format(NamedTuple):
    """How a file is written.

    Args:
        form: the ending without compression, as in ``.jsonl``.
        packed: the ending of the compression, or nothing.
    """

    form: str
    packed: str = ""


COMPRESSED = (".gz", ".zst")
PLAIN = (".txt", ".md", ".html", ".htm")
JSON_LINES = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet",)  # which compresses within

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        form + packed: Format(form, packed)
        for form, packed in product(PLAIN + JSON_LINES, ("", *COMPRESSED))
    }
    | {form: Format(form) for form in PARQUET}
)
READABLE = tuple(FORMATS)


def name_of(path: Path) -> str:
    """How messages call a file."""
    return "standard input" if str(path) == STDIN else str(path)


def find_format(path: Path) -> Format | None:
    """How a file of this name is written; None where the name does not say.

    The standard input holds JSON lines.
    """
    if str(path) == STDIN:
        return Format(".jsonl")
    endings = [ending.lower() for ending in path.suffixes[-2:]]
    for start in range(len(endings)):
        found = FORMATS.get("".join(endings[start:]))
        if found:
            return found
    return None


def format_of(path: Path) -> Format:
    """How a file of this name is written.

    Raises:
        ValueError: the name does not say.
    """
    found = find_format(path)
    if found is None:
        raise ValueError(
            f"cannot tell from its name how {path} is written; give it one "
            f"of the suffixes {', '.join(READABLE)}"
        )
    return found


# What files begin with, and what undoes it. Those whose mark is made of
# letters alone need a byte after it that no text has.
_GZIP = "unpack it with gzip -d"
_ZSTD = "unpack it with zstd -d"
_ENDINGS = {_GZIP: ".gz", _ZSTD: ".zst"}  # which can be read packed
_TABLE = "read it with the library that wrote it, and write .parquet or .jsonl"
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x1f\x8b", "gzip data", _GZIP),
    (rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", "zstandard data", _ZSTD),
    (
        rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
        "bzip2 data",
        "unpack it with bzip2 -d",
    ),
    (rb"\xfd7zXZ\0", "xz data", "unpack it with xz -d"),
    (rb"\x04\x22\x4d\x18", "lz4 data", "unpack it with lz4 -d"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with 7z x"),
    (rb"Rar!\x1a\x07", "a rar archive", "unpack it with unrar x"),
    (rb"PK(?:\x03\x04|\x05\x06)", "a zip archive", "unpack it with unzip"),
    (rb"[\s\S]{257}ustar", "a tar archive", "unpack it with tar -xf"),
    (rb"PAR1[\0-\x08\x0e-\x1f]", "a parquet table", "name it .parquet"),
    (rb"ARROW1\0\0", "an Arrow table", _TABLE),
    (rb"\xff{4}[\s\S]{2}\0\0", "a stream of Arrow tables", _TABLE),
    (rb"SQLite format 3\0", "an SQLite database", _TABLE),
    (rb"\x93NUMPY", "a numpy array", _TABLE),
    (rb"\x89HDF\r\n", "an HDF5 file", _TABLE),
    (rb"%PDF-", "a PDF", "take the text out of it with pdftotext"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a\S", "a picture", "leave it out"),
    (
        rb"\xff\xfe\0\0|\0\0\xfe\xff",
        "UTF-32 text",
        "convert it: iconv -f utf-32 -t utf-8",
    ),
    (
        rb"\xff\xfe|\xfe\xff|(?:[\t\n\r -~]\0){4}|(?:\0[\t\n\r -~]){4}",
        "UTF-16 text",
        "convert it: iconv -f utf-16 -t utf-8",
    ),
)
_PATTERNS = [(re.compile(mark), what, remedy) for mark, what, remedy in _KINDS]
_HEAD = 512  # bytes that are looked at; the mark of tar ends at 262


class Kind(NamedTuple):
    """What data is that is no text.

    Args:
        what: its kind, in words.
        remedy: how to read it.
    """

    what: str
    remedy: str


def kind_of(head: bytes) -> Kind | None:
    """What data is that begins so; None if it may be text.

    Args:
        head: the first bytes, some hundreds where there are as many.
    """
    for pattern, what, remedy in _PATTERNS:
        if pattern.match(head):
            return Kind(what, remedy)
    return None


def is_packed(kind: Kind, path: Path) -> bool:
    """Whether data of a kind is what the name says of its compression."""
    return _ENDINGS.get(kind.remedy) == format_of(path).packed


def refuse_other_kinds(
    chunks: Iterator[bytes], path: Path, packed: str = ""
) -> Iterator[bytes]:
    """The same chunks, unless they begin as something that is no text.

    Args:
        chunks: what should be text.
        path: the file, for the message.
        packed: the compression that was undone, or nothing.

    Raises:
        FileError: they are known to be of another kind.
    """
    head, first = b"", []
    for chunk in chunks:
        first.append(chunk)
        head += chunk[:_HEAD]
        if len(head) >= _HEAD:
            break
    found = kind_of(head)
    if found:
        raise other_kind(path, found, packed)
    yield from chain(first, chunks)


def other_kind(path: Path, kind: Kind, packed: str = "") -> FileError:
    """The error for a file that is not what its name says."""
    ending = _ENDINGS.get(kind.remedy)
    if str(path) == STDIN:
        advice = f"{kind.remedy} before it comes here"
    elif ending and not packed:
        stem = path.name.removesuffix(format_of(path).packed)
        advice = f"name it {stem}{ending}, or {kind.remedy}"
    else:
        advice = kind.remedy
    within = f" inside its {packed}" if packed else ""
    why = f"holds {kind.what}{within}, not what its name says"
    return FileError(name_of(path), why, advice)
