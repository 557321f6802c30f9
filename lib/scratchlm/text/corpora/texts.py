"""Texts out of files and into them, whatever the format."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.corpora.byte_streams import STDIN
from scratchlm.text.corpora.reading import (
    READABLE,
    documents_of,
    format_of,
)
from scratchlm.text.corpora.writing import write_documents


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


def read_texts(
    paths: str | Path | Sequence[str | Path], column: str = "text"
) -> Iterator[str]:
    """The documents of files and folders, one at a time.

    The suffix says how a file is written. ``.txt``, ``.md`` and ``.html``
    are one document each, or several between lines ``<|endoftext|>``;
    ``.jsonl`` has one JSON object a line; ``.parquet`` one document a row.
    All but the last may be compressed: ``.jsonl.gz``, ``.txt.zst``. Memory
    holds one document, or one batch of rows.

    Args:
        paths: files and folders. ``-`` is the standard input, as JSON
            lines. A folder stands for all files in it whose suffix is one
            of ours, in the order of their paths, hidden ones left out.
        column: which field of a record holds the text.

    Raises:
        ValueError: a path that does not exist, a folder without texts, a
            name whose suffix is none of ours; while reading, a damaged
            file. The message names the file, the place and the remedy.
    """
    given = [paths] if isinstance(paths, str | Path) else paths
    if not given:
        raise ValueError("there is nothing to read: give a file or a folder")
    files = [file for path in given for file in _files_of(Path(path))]
    return chain.from_iterable(documents_of(file, column) for file in files)


def _files_of(path: Path) -> list[Path]:
    """Checked before the first document is read, not hours later."""
    if str(path) == STDIN:
        return [path]
    if path.is_dir():
        return _files_in(path)
    if not path.exists():
        raise ValueError(
            f"{path} does not exist; give a file or a folder (from here, "
            f"{Path.cwd()}, or from the root)"
        )
    format_of(path)
    return [path]


def _files_in(folder: Path) -> list[Path]:
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    visible = (
        folder / path
        for path in inside
        if not any(part.startswith(".") for part in path.parts)
    )
    files = [
        path
        for path in visible
        if path.name.lower().endswith(READABLE) and path.is_file()
    ]
    if not files:
        raise ValueError(
            f"{folder} holds no text: none of its {len(inside)} entries ends "
            f"in {', '.join(READABLE)}"
        )
    return files


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
    return write_documents(texts, Path(path), column)
