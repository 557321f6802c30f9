"""Texts out of files and into them, whatever the format."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.corpora.faults import OnFault, raise_fault
from scratchlm.text.corpora.formats import (
    READABLE,
    STDIN,
    find_format,
    format_of,
)
from scratchlm.text.corpora.reading import records_of
from scratchlm.text.corpora.records import Record
from scratchlm.text.corpora.writing import write_records

Paths = str | Path | Sequence[str | Path]


def take_bytes(
    documents: Iterable[str], max_bytes: int | None
) -> Iterator[str]:
    """The first documents, as many as fit.

    Args:
        documents: any texts.
        max_bytes: stop before their UTF-8 would exceed it; None for all.
    """
    size = 0
    for document in documents:
        size += len(document.encode())
        if max_bytes is not None and size > max_bytes:
            return
        yield document


class Listing(NamedTuple):
    """The files that paths stand for.

    Args:
        files: to read, in order.
        left_out: files of folders whose names do not say how they are
            written.
    """

    files: list[Path]
    left_out: list[Path]

    def notice(self) -> str:
        """What is left out, for a person to read; empty if nothing is."""
        if not self.left_out:
            return ""
        shown = ", ".join(map(str, self.left_out[:5]))
        more = len(self.left_out) - 5
        rest = f" and {more:,} more" if more > 0 else ""
        return (
            f"{len(self.left_out):,} of "
            f"{len(self.left_out) + len(self.files):,} files left out, since "
            f"their names do not say how they are written: {shown}{rest}; "
            f"those that are read end in {', '.join(READABLE)}"
        )


def list_files(paths: Paths) -> Listing:
    """Find the files that :func:`read_texts` reads, and those it leaves out.

    Args:
        paths: files and folders.

    Raises:
        ValueError: as :func:`read_texts`, before anything is read.
    """
    given = [paths] if isinstance(paths, str | Path) else paths
    if not given:
        raise ValueError("there is nothing to read: give a file or a folder")
    parts = [_files_of(Path(path)) for path in given]
    return Listing(
        [file for part in parts for file in part.files],
        [file for part in parts for file in part.left_out],
    )


def read_texts(
    paths: Paths, column: str = "text", *, on_fault: OnFault = raise_fault
) -> Iterator[str]:
    """The documents of files and folders, one at a time.

    The suffix says how a file is written. ``.txt``, ``.md`` and ``.html``
    are one document each, or several between lines ``<|endoftext|>``;
    ``.jsonl``, ``.ndjson`` and ``.json`` have one JSON object a line;
    ``.parquet`` one document a row. All but the last may be compressed:
    ``.jsonl.gz``, ``.txt.zst``. Memory holds one document, or one batch of
    rows.

    Args:
        paths: files and folders. ``-`` is the standard input, as JSON
            lines. A folder stands for all files in it whose suffix is one
            of ours, in the order of their paths, hidden ones left out; a
            warning counts and names the others.
        column: which field of a record holds the text; of fields within
            fields the names with dots between, as ``content.text``.
        on_fault: what becomes of a fault in a record or a file. If it
            returns, as :class:`scratchlm.text.corpora.faults.Skipped` does,
            reading goes on behind it.

    Raises:
        ValueError: a path that does not exist, a folder without texts, a
            name whose suffix is none of ours; while reading, a damaged
            file. The message names the file, the place and the remedy.
    """
    files = _listed(paths)
    parts = (
        records_of(file, column, fields=False, on_fault=on_fault)
        for file in files
    )
    return (record.text for record in chain.from_iterable(parts))


def read_records(
    paths: Paths, column: str = "text", *, on_fault: OnFault = raise_fault
) -> Iterator[Record]:
    """The documents of files and folders, with the fields beside the text.

    Args:
        paths: as :func:`read_texts` takes them.
        column: which field of a record holds the text.
        on_fault: what becomes of a fault in a record or a file.

    Raises:
        ValueError: as :func:`read_texts`.
    """
    files = _listed(paths)
    return chain.from_iterable(
        records_of(file, column, on_fault=on_fault) for file in files
    )


def _listed(paths: Paths) -> list[Path]:
    """Checked before the first document is read, not hours later."""
    listing = list_files(paths)
    if listing.left_out:
        warnings.warn(listing.notice(), stacklevel=3)
    return listing.files


def _files_of(path: Path) -> Listing:
    if str(path) == STDIN:
        return Listing([path], [])
    if path.is_dir():
        return _files_in(path)
    if not path.exists():
        raise ValueError(
            f"{path} does not exist; give a file or a folder (from here, "
            f"{Path.cwd()}, or from the root)"
        )
    format_of(path)
    return Listing([path], [])


def _files_in(folder: Path) -> Listing:
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    files = [
        folder / path
        for path in inside
        if not any(part.startswith(".") for part in path.parts)
        and (folder / path).is_file()
    ]
    known = [path for path in files if find_format(path)]
    if not known:
        raise ValueError(
            f"{folder} holds no text: none of its {len(inside)} entries ends "
            f"in {', '.join(READABLE)}"
        )
    return Listing(known, [path for path in files if not find_format(path)])


def write_texts(
    texts: Iterable[str], path: str | Path, column: str = "text"
) -> int:
    """Write documents to a file that appears when it is whole.

    What :func:`read_texts` reads back is equal. Equal texts give equal
    bytes, as long as the libraries that compress them stay the same.

    Args:
        texts: the documents.
        path: a ``.jsonl``, ``.txt`` or ``.parquet`` file, the first two
            also with ``.gz`` or ``.zst``; ``-`` is the standard output, as
            JSON lines. In ``.txt`` a line ``<|endoftext|>`` follows each
            document.
        column: the field of a record that will hold the text.

    Returns:
        How many documents it wrote.

    Raises:
        ValueError: a text that the format cannot hold, or a path that
            cannot be written; nothing at ``path`` has changed.
    """
    not_one_string(texts)
    return write_records(map(Record, texts), path, column)
