"""Records into a parquet file, whose columns are known when all are read.

A table needs the type of each column before its first row, and records say
theirs one by one. So the rows wait on the disk until the last has come.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from scratchlm.text.corpora.reading import ROWS, import_parquet

_REMEDY = "write .jsonl, or the text alone"


def write_parquet(
    rows: Iterable[dict[str, Any]], file: IO[bytes], path: Path, column: str
) -> int:
    """Write rows as a table with the columns that occur in any of them.

    Args:
        rows: the records.
        file: where the table goes.
        path: its name; the rows wait in the same folder.
        column: the column of an empty table.

    Returns:
        How many rows it wrote.

    Raises:
        ValueError: the values of a column are of types that do not go
            together, or of one that parquet cannot hold.
    """
    pyarrow, parquet = import_parquet()
    count, rest = 0, iter(rows)
    schema = pyarrow.schema([])
    with TemporaryFile(dir=path.parent) as waiting:
        while some := list(islice(rest, ROWS)):
            batch = _batch(pyarrow, some, count, path)
            schema = _unified(pyarrow, schema, batch.schema, path)
            with pyarrow.ipc.new_stream(waiting, batch.schema) as stream:
                stream.write_batch(batch)
            count += len(some)
        if not count:
            schema = pyarrow.schema([(column, pyarrow.string())])
        waiting.seek(0)
        try:
            with parquet.ParquetWriter(
                file, schema, compression="zstd"
            ) as writer:
                for start in range(0, count, ROWS):
                    del start
                    (batch,) = pyarrow.ipc.open_stream(waiting)
                    writer.write_table(_completed(pyarrow, batch, schema))
        except pyarrow.ArrowException as error:
            raise ValueError(
                f"cannot write {path}: {error}; {_REMEDY}"
            ) from error
    return count


def _batch(
    pyarrow: Any, rows: Sequence[dict[str, Any]], first: int, path: Path
) -> Any:
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            values = pyarrow.array([row.get(name) for row in rows])
        except (pyarrow.ArrowException, OverflowError) as error:
            raise ValueError(
                f"cannot make a column of {name!r} for {path}, of documents "
                f"{first + 1:,} to {first + len(rows):,}: {error}; {_REMEDY}"
            ) from error
        columns[name] = values
    return pyarrow.RecordBatch.from_pydict(columns)


def _unified(pyarrow: Any, one: Any, other: Any, path: Path) -> Any:
    try:
        return pyarrow.unify_schemas(
            [one, other], promote_options="permissive"
        )
    except pyarrow.ArrowException as error:
        raise ValueError(
            f"cannot write {path}, for a column has values of two types: "
            f"{error}; {_REMEDY}"
        ) from error


def _completed(pyarrow: Any, batch: Any, schema: Any) -> Any:
    """The batch with the columns and types of all."""
    if batch.schema == schema:
        return pyarrow.Table.from_batches([batch])
    return pyarrow.Table.from_pylist(batch.to_pylist(), schema=schema)
