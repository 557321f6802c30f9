"""What the commands have in common."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from tqdm import tqdm
from tyro.conf import Positional, arg

Inputs = Annotated[
    tuple[str, ...],
    arg(
        metavar="PATH",
        help="files and folders, or - for JSON lines from the standard input",
    ),
]
Output = Annotated[
    str,
    arg(
        aliases=["-o"],
        metavar="FILE",
        help="a .jsonl, .txt or .parquet file, the first two also with .gz "
        "or .zst; - is the standard output, as JSON lines",
    ),
]
Column = Annotated[
    str, arg(metavar="NAME", help="the field of a record that holds the text")
]
Progress = Annotated[
    bool, arg(help="show on the standard error how far it is")
]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Documents from files, and documents to a file."""

    paths: Positional[Inputs]
    out: Output = "-"
    column: Column = "text"
    progress: Progress = True

    def texts(self) -> Iterator[str]:
        """The documents."""
        from scratchlm.text.corpora.texts import read_texts  # noqa: PLC0415

        return read_texts(self.paths, self.column)

    @contextmanager
    def twice(self) -> Iterator[Callable[[], Iterator[str]]]:
        """The documents, as often as asked; standard input goes to disk."""
        from scratchlm.text.corpora.texts import (  # noqa: PLC0415
            read_texts,
            write_texts,
        )

        if "-" not in self.paths:
            yield self.texts
            return
        with TemporaryDirectory() as folder:
            kept = Path(folder) / "input.jsonl"
            write_texts(self.texts(), kept, self.column)
            yield lambda: read_texts(kept, self.column)


def watched(
    texts: Iterable[str], name: str, progress: bool, total: int | None = None
) -> Iterator[str]:
    """The same texts, and a bar that counts their bytes.

    Args:
        texts: the documents.
        name: what the bar says.
        progress: show it.
        total: how many bytes there will be, where that is known.
    """
    with tqdm(
        desc=name,
        total=total,
        unit="B",
        unit_scale=True,
        disable=not progress,
    ) as bar:
        for text in texts:
            yield text
            bar.update(len(text.encode()))


def say(line: str) -> None:
    """Tell the user, not the pipe."""
    sys.stderr.write(f"{line}\n")
