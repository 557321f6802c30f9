"""Records out of files, one reader for each format."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from scratchlm.foundation.extras import import_failure
from scratchlm.text.corpora.byte_streams import (
    decode_line,
    lines,
    read_chunks,
)
from scratchlm.text.corpora.faults import (
    FileError,
    OnFault,
    RecordError,
    raise_fault,
)
from scratchlm.text.corpora.formats import (
    JSON_LINES,
    PARQUET,
    format_of,
    kind_of,
    name_of,
    other_kind,
)
from scratchlm.text.corpora.plain import read_plain
from scratchlm.text.corpora.records import Record, no_column, text_in

ROWS = 1024  # of a parquet file, held at a time

_ONE_OBJECT = 'each line is one object, such as {"text": "..."}'


def documents_of(path: Path, column: str) -> Iterator[str]:
    """The documents of one file, without the fields beside them.

    Args:
        path: a file, or ``-`` for JSON lines on the standard input.
        column: which field of a record holds the text.

    Raises:
        ValueError: the file is damaged, or lacks the column; the message
            names the place and the remedy.
    """
    return (record.text for record in records_of(path, column, fields=False))


def records_of(
    path: Path,
    column: str,
    *,
    fields: bool = True,
    on_fault: OnFault = raise_fault,
) -> Iterator[Record]:
    """The records of one file, by the suffix of its name.

    Args:
        path: a file, or ``-`` for JSON lines on the standard input.
        column: which field of a record holds the text; of fields within
            fields the names with dots between, as ``content.text``.
        fields: keep the other fields too. Without them a parquet file gives
            its one column, in less time.
        on_fault: what becomes of a fault. If it returns, reading goes on
            behind the record, or behind the file that is damaged.

    Raises:
        ValueError: the suffix is none of ours, or what reads it is not
            installed.
    """
    form = format_of(path).form
    try:
        if form in PARQUET:
            yield from _read_parquet(path, column, fields, on_fault)
        elif form in JSON_LINES:
            yield from _read_json_lines(path, column, fields, on_fault)
        else:
            yield from map(Record, read_plain(path))
    except FileError as fault:
        on_fault(fault)


def _each(
    found: Iterable[Any],
    make: Callable[[int, Any], Record | None],
    on_fault: OnFault,
) -> Iterator[Record]:
    """What can be made of numbered parts, and the faults of the others."""
    for number, part in enumerate(found, start=1):
        try:
            record = make(number, part)
        except RecordError as fault:
            on_fault(fault)
            continue
        if record is not None:
            yield record


def _read_json_lines(
    path: Path, column: str, fields: bool, on_fault: OnFault
) -> Iterator[Record]:
    """One document from each line, a JSON object."""

    def make(number: int, raw: bytes) -> Record | None:
        line = decode_line(raw, number, path)
        if not line.strip():
            return None
        place = f"line {number:,} of {name_of(path)}"
        row = _parsed(line, place)
        text = text_in(row, column, place)
        return Record(text, row) if fields else Record(text)

    return _each(lines(read_chunks(path)), make, on_fault)


def _parsed(line: str, place: str) -> dict[str, Any]:
    remedy = _ONE_OBJECT
    if line.strip() in ("[", "{") or line.lstrip().startswith(("[{", "[ {")):
        remedy += "; jq -c '.[]' makes such lines of an array, jq -c . of an "
        remedy += "object over several lines"
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(place, f"is not JSON: {error}", remedy) from None
    if not isinstance(record, dict):
        raise RecordError(place, f"is {line[:40]!r}", remedy)
    return record


def _read_parquet(
    path: Path, column: str, fields: bool, on_fault: OnFault
) -> Iterator[Record]:
    """One document from each row of a table."""

    def make(number: int, row: dict[str, Any] | UnicodeError) -> Record:
        place = f"row {number:,} of {path}"
        if isinstance(row, UnicodeError):
            why = f"holds a string that is not UTF-8 ({row})"
            raise RecordError(place, why, "drop the row, or write it again")
        text = text_in(row, column, place)
        return Record(text, row) if fields else Record(text)

    return _each(_parquet_rows(path, column, fields), make, on_fault)


def _parquet_rows(
    path: Path, column: str, fields: bool
) -> Iterator[dict[str, Any] | UnicodeError]:
    pyarrow, parquet = import_parquet()
    row = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = _column_names(pyarrow, file.schema_arrow)
            if column not in names:
                missing = no_column(str(path), column, names)
                raise FileError(missing.place, missing.why, missing.remedy)
            wanted = None if fields else [column]
            for batch in file.iter_batches(ROWS, columns=wanted):
                for value in _rows_of(batch):
                    row += 1
                    yield value
    except PermissionError:
        raise
    except (pyarrow.ArrowException, OSError) as error:
        with path.open("rb") as opened:
            other = kind_of(opened.read(1024))
        if other and "parquet" not in other.what:
            raise other_kind(path, other) from error
        raise FileError(
            str(path),
            f"is not a whole parquet file: {error} (after row {row:,})",
            "download or write it again",
        ) from error


def _rows_of(batch: Any) -> Iterable[dict[str, Any] | UnicodeError]:
    """The rows of a batch, one by one where a string is damaged."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        return [_row_of(batch.slice(i, 1)) for i in range(batch.num_rows)]


def _row_of(batch: Any) -> dict[str, Any] | UnicodeError:
    try:
        return dict(batch.to_pylist()[0])
    except UnicodeDecodeError as error:
        return error


def _column_names(pyarrow: Any, fields: Any, before: str = "") -> list[str]:
    """All names by which a field can be asked for."""
    names = []
    for field in fields:
        names.append(f"{before}{field.name}")
        if pyarrow.types.is_struct(field.type):
            inner = list(field.type)
            names += _column_names(pyarrow, inner, f"{before}{field.name}.")
    return names


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
