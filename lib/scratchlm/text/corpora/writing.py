"""Documents into a file: the whole file, or the one that was there before."""

import gzip
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO

from scratchlm.foundation.durable import atomic_file
from scratchlm.text.corpora.byte_streams import (
    STDIN,
    import_zstandard,
    name_of,
)
from scratchlm.text.corpora.reading import (
    COMPRESSED,
    JSON_LINES,
    MARK,
    PARQUET,
    PLAIN,
    ROWS,
    SEPARATOR,
    check_encodable,
    format_of,
    import_parquet,
)

Write = Callable[[bytes], object]

WRITABLE = (*JSON_LINES, PLAIN[0])  # and parquet


def write_documents(texts: Iterable[str], path: Path, column: str) -> int:
    """Write documents in the format that the suffix names.

    Args:
        texts: the documents.
        path: a file, or ``-`` for JSON lines on the standard output.
        column: the field of a record that will hold the text.

    Returns:
        How many documents it wrote.

    Raises:
        ValueError: a text that the format cannot hold, or a suffix that is
            none of ours.
    """
    if str(path) == STDIN:
        return _write_lines(texts, sys.stdout.buffer.write, path, column)
    form = format_of(path)
    if form not in (*WRITABLE, *PARQUET):
        raise ValueError(
            f"cannot write documents to {path}: a {form} file holds one; "
            f"write {', '.join(WRITABLE)} or {PARQUET[0]}"
        )
    with atomic_file(path) as file:
        if form in PARQUET:
            return _write_parquet(texts, file, path, column)
        with _compressor(path.suffix.lower(), file) as write:
            if form in JSON_LINES:
                return _write_lines(texts, write, path, column)
            return _write_plain(texts, write, path)


@contextmanager
def _compressor(suffix: str, file: IO[bytes]) -> Iterator[Write]:
    if suffix not in COMPRESSED:
        yield file.write
    elif suffix == ".gz":
        # No name and no time: equal text gives equal files.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            yield packed.write
    else:
        zstandard = import_zstandard()
        packer = zstandard.ZstdCompressor(write_checksum=True)
        with packer.stream_writer(file, closefd=False) as packed:
            yield packed.write


def _checked(texts: Iterable[str], path: Path) -> Iterator[str]:
    for number, text in enumerate(texts, start=1):
        check_encodable(text, f"document {number:,} for {name_of(path)}")
        yield text


def _write_lines(
    texts: Iterable[str], write: Write, path: Path, column: str
) -> int:
    count = 0
    for text in _checked(texts, path):
        line = json.dumps({column: text}, ensure_ascii=False)
        write(f"{line}\n".encode())
        count += 1
    return count


def _write_plain(texts: Iterable[str], write: Write, path: Path) -> int:
    count = 0
    for text in _checked(texts, path):
        count += 1
        if MARK in text:
            raise ValueError(
                f"document {count:,} for {path} contains {MARK}, which ends "
                "documents in .txt files; write .jsonl"
            )
        write((text + SEPARATOR).encode())
    return count


def _write_parquet(
    texts: Iterable[str], file: IO[bytes], path: Path, column: str
) -> int:
    pyarrow, parquet = import_parquet()
    schema = pyarrow.schema([(column, pyarrow.string())])
    count, rest = 0, iter(_checked(texts, path))
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while rows := list(islice(rest, ROWS)):
            writer.write_table(pyarrow.table({column: rows}, schema=schema))
            count += len(rows)
    return count
