"""Documents out of files, one reader for each format."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scratchlm.foundation.extras import import_failure
from scratchlm.text.corpora.byte_streams import (
    STDIN,
    decode,
    decode_line,
    lines,
    name_of,
    read_chunks,
)

# Between the documents of a .txt file, as the files of TinyStories have it.
MARK = "<|endoftext|>"
SEPARATOR = f"\n{MARK}\n"

COMPRESSED = (".gz", ".zst")
PLAIN = (".txt", ".md", ".html", ".htm")
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet",)
READABLE = (
    *PLAIN,
    *JSON_LINES,
    *(s + c for s in PLAIN[:2] + JSON_LINES[:1] for c in COMPRESSED),
    *PARQUET,
)

ROWS = 1024  # of a parquet file, held at a time


def format_of(path: Path) -> str:
    """The suffix that says how a file is written, without compression.

    Raises:
        ValueError: the suffix is none of ours.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] in COMPRESSED
    if packed:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    if last in (PLAIN + JSON_LINES) or (last in PARQUET and not packed):
        return last
    raise ValueError(
        f"cannot tell from its name how {path} is written; give it one of "
        f"the suffixes {', '.join(READABLE)}"
    )


def documents_of(path: Path, column: str) -> Iterator[str]:
    """The documents of one file, by the suffix of its name.

    Args:
        path: a file, or ``-`` for JSON lines on the standard input.
        column: which field of a record holds the text.

    Raises:
        ValueError: the file is damaged, or lacks the column; the message
            names the place and the remedy.
    """
    form = ".jsonl" if str(path) == STDIN else format_of(path)
    if form in PARQUET:
        return read_parquet(path, column)
    if form in JSON_LINES:
        return read_json_lines(path, column)
    return read_plain(path)


def read_plain(path: Path) -> Iterator[str]:
    """The parts of a text file between its ``<|endoftext|>`` lines.

    A file without such a line is one document.

    Raises:
        ValueError: the file is not UTF-8, or its compression is damaged.
    """
    text, searched = "", 0
    for part in decode(read_chunks(path), path):
        text += part
        while (at := text.find(SEPARATOR, searched)) >= 0:
            yield text[:at]
            text, searched = text[at + len(SEPARATOR) :], 0
        # The separator may begin in this part and end in the next.
        searched = max(0, len(text) - len(SEPARATOR) + 1)
    if text:
        yield text.removesuffix(f"\n{MARK}")


def read_json_lines(path: Path, column: str) -> Iterator[str]:
    """One document from each line, a JSON object.

    Raises:
        ValueError: a line is not UTF-8, not JSON, not an object, or has no
            text under ``column``.
    """
    for number, raw in enumerate(lines(read_chunks(path)), start=1):
        line = decode_line(raw, number, path)
        if line.strip():
            place = f"line {number:,} of {name_of(path)}"
            yield _text_of(_parsed(line, place), column, place)


def _parsed(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{place} is not JSON: {error}; each line is one object, such as "
            '{"text": "..."}'
        ) from None
    if not isinstance(record, dict):
        raise ValueError(
            f"{place} is {line[:40]!r}; each line is one object, such as "
            '{"text": "..."}'
        )
    return record


def _text_of(record: dict[str, Any], column: str, place: str) -> str:
    if column not in record:
        raise no_column(place, column, list(record))
    text = record[column]
    if not isinstance(text, str):
        raise ValueError(
            f"{place} has {str(text)[:40]!r} under {column!r}, which is no "
            "string; name the column that holds the text, or drop the record"
        )
    check_encodable(text, place)
    return text


def check_encodable(text: str, place: str) -> None:
    r"""Refuse half a character.

    JSON can write one, ``"\ud83d"``, and no file can hold it.

    Raises:
        ValueError: the text holds a lone surrogate.
    """
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{place} holds half a character, U+{ord(text[error.start]):04X}, "
            f"at character {error.start:,} of its text; UTF-8 cannot write "
            "it, so drop the record or repair what cut the text"
        ) from None


def no_column(place: str, column: str, found: list[str]) -> ValueError:
    """The error for a missing column."""
    return ValueError(
        f"{place} has no column {column!r}; it has "
        f"{', '.join(map(repr, found)) or 'none'}; name the one that holds "
        "the text"
    )


def read_parquet(path: Path, column: str) -> Iterator[str]:
    """One document from each row of a parquet file.

    Raises:
        ValueError: the file is damaged, lacks the column, or a row holds
            no text in it.
    """
    rows = _parquet_rows(path, column)
    for row, text in enumerate(rows, start=1):
        yield _text_of({column: text}, column, f"row {row:,} of {path}")


def _parquet_rows(path: Path, column: str) -> Iterator[Any]:
    pyarrow, parquet = import_parquet()
    row = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if column not in names:
                raise no_column(str(path), column, names)
            for batch in file.iter_batches(ROWS, columns=[column]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield value
    except PermissionError:
        raise
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a whole parquet file: {error} (after row "
            f"{row:,}); download or write it again"
        ) from error


def import_parquet() -> tuple[Any, Any]:
    """pyarrow and its parquet module.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415  (optional)
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        need = "reading and writing .parquet needs pyarrow"
        raise ValueError(import_failure(need, "data", error)) from error
    return pyarrow, pyarrow.parquet
