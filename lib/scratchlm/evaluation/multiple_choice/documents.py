"""The documents of a task, from files, from the Hub or drawn."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.corpora.public_data import HubDataset
from scratchlm.text.corpora.records import Record
from scratchlm.text.corpora.texts import read_records

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Documents that a program draws, the same ones each time.

    Args:
        name: of the set.
        revision: changes when other documents are drawn.
        draw: returns them.
    """

    name: str
    revision: str
    draw: Callable[[], Sequence[Document]]


Source: TypeAlias = HubDataset | Drawn


def read_documents(
    source: Source | str | Path,
    columns: Sequence[str],
    *,
    folder: Path | None = None,
    limit: int | None = None,
) -> list[Document]:
    """Return the documents of a source, each with the columns it needs.

    Args:
        source: a data set of the Hub at one commit, documents that are
            drawn, or a local file or folder: JSON lines or parquet.
        columns: that each document must have. The first holds a text.
        folder: local data, which stands for the Hub where it has a folder
            of the data set's name.
        limit: how many to read; all if None.

    Raises:
        ValueError: there are none; a document lacks a column, or its first
            one holds no text; a file is damaged; ``limit`` is below 1.
        ConnectionError: the Hub cannot be reached.
    """
    not_one_string(columns, "columns")
    if not columns:
        raise ValueError("columns is empty; name what a document must have")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}; give 1 or more, or None for all")
    name = str(source) if isinstance(source, str | Path) else source.name
    found: list[Document] = []
    for number, fields in enumerate(
        islice(_fields(source, columns[0], folder), limit)
    ):
        check_columns(fields, columns, f"document {number} of {name}")
        found.append(fields)
    if not found:
        raise ValueError(f"{name} holds no document; give one that does")
    return found


def check_columns(
    document: Document, columns: Sequence[str], place: str
) -> None:
    """Refuse a document that lacks what its task needs.

    Args:
        document: one.
        columns: what it must have.
        place: what to call it.

    Raises:
        ValueError: it lacks a column.
    """
    for column in columns:
        if column not in document:
            there = ", ".join(map(repr, document)) or "none"
            raise ValueError(
                f"{place} has no column {column!r}; it has {there}, and the "
                f"task needs {', '.join(map(repr, columns))}; rename them, "
                "or choose the task that they belong to"
            )


def _fields(
    source: Source | str | Path, column: str, folder: Path | None
) -> Iterator[Document]:
    if isinstance(source, Drawn):
        return iter(source.draw())
    records: Iterator[Record]
    if isinstance(source, HubDataset):
        records = source.records(folder)
    else:
        records = read_records(source, column)
    return (record.fields for record in records)
