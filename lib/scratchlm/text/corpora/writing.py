"""Documents into a file: the whole file, or the one that was there before."""

import gzip
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from scratchlm.foundation.durable import atomic_file
from scratchlm.text.corpora.byte_streams import import_zstandard
from scratchlm.text.corpora.formats import (
    JSON_LINES,
    PARQUET,
    PLAIN,
    STDIN,
    format_of,
    name_of,
)
from scratchlm.text.corpora.plain import MARK, SEPARATOR
from scratchlm.text.corpora.records import Record, check_encodable
from scratchlm.text.corpora.tables import write_parquet

Write = Callable[[bytes], object]

WRITABLE = (*JSON_LINES, PLAIN[0])  # and parquet


def write_documents(texts: Iterable[str], path: Path, column: str) -> int:
    """Write documents without other fields, as :func:`write_records` does.

    Args:
        texts: the documents.
        path: a file, or ``-`` for JSON lines on the standard output.
        column: the field of a record that will hold the text.

    Returns:
        How many documents it wrote.

    Raises:
        ValueError: as :func:`write_records`.
    """
    return write_records(map(Record, texts), path, column)


def write_records(
    records: Iterable[Record], path: str | Path, column: str = "text"
) -> int:
    """Write documents and the fields beside them to one file.

    The file appears when it is whole.

    Args:
        records: the documents and their fields; a ``.txt`` file holds the
            documents alone. The columns of a ``.parquet`` file are those of
            all records, of the types that pyarrow finds in their values.
        path: a file, or ``-`` for JSON lines on the standard output.
        column: the field of a record that will hold the text.

    Returns:
        How many documents it wrote.

    Raises:
        ValueError: a text or a field that the format cannot hold, or a
            suffix that is none of ours.
    """
    path = Path(path)
    if str(path) == STDIN:
        return _write_lines(records, sys.stdout.buffer.write, path, column)
    form, packed = format_of(path)
    if form not in (*WRITABLE, *PARQUET):
        raise ValueError(
            f"cannot write documents to {path}: a {form} file holds one; "
            f"write {', '.join(WRITABLE)} or {PARQUET[0]}"
        )
    with atomic_file(path) as file:
        if form in PARQUET:
            rows = (record.row(column) for record in _checked(records, path))
            return write_parquet(rows, file, path, column)
        with _compressor(packed, file) as write:
            if form in JSON_LINES:
                return _write_lines(records, write, path, column)
            return _write_plain(records, write, path)


@contextmanager
def _compressor(packed: str, file: IO[bytes]) -> Iterator[Write]:
    if packed == ".gz":
        # No name and no time: equal text gives equal files.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packer:
            yield packer.write
    elif packed == ".zst":
        zstandard = import_zstandard()
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        with compressor.stream_writer(file, closefd=False) as packer:
            yield packer.write
    else:
        yield file.write


def _checked(records: Iterable[Record], path: Path) -> Iterator[Record]:
    for number, record in enumerate(records, start=1):
        place = f"document {number:,} for {name_of(path)}"
        check_encodable(record.text, place)
        yield record


def _write_lines(
    records: Iterable[Record], write: Write, path: Path, column: str
) -> int:
    count = 0
    for record in _checked(records, path):
        count += 1
        row = record.row(column)
        try:
            line = json.dumps(row, ensure_ascii=False, default=_plain_value)
            data = line.encode()
        except UnicodeEncodeError:  # half a character, in another field
            data = json.dumps(row, default=_plain_value).encode()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"document {count:,} for {name_of(path)} has a field that "
                f"JSON cannot hold: {error}; write .parquet, or the text alone"
            ) from error
        write(data + b"\n")
    return count


def _plain_value(value: Any) -> str:
    """What tables hold and JSON does not, as others write it."""
    if isinstance(value, date | time):  # and datetime
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{str(value)[:40]!r} is of type {type(value).__name__}")


def _write_plain(records: Iterable[Record], write: Write, path: Path) -> int:
    count = 0
    for record in _checked(records, path):
        count += 1
        if MARK in record.text:
            raise ValueError(
                f"document {count:,} for {path} contains {MARK}, which ends "
                "documents in .txt files; write .jsonl"
            )
        write((record.text + SEPARATOR).encode())
    return count
