"""What the commands have in common."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar

from tqdm import tqdm
from tyro.conf import Positional, arg

if TYPE_CHECKING:
    from scratchlm.text.corpora.faults import DataError, Skipped
    from scratchlm.text.corpora.records import Record

Result = TypeVar("Result")

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
        "or .zst; - is the standard output, as JSON lines. Other fields of a "
        "record are written too, but to .txt",
    ),
]
Column = Annotated[
    str,
    arg(
        aliases=["--text-field"],
        metavar="NAME",
        help="the field of a record that holds the text; within another "
        "field: content.text",
    ),
]
OnError = Annotated[
    Literal["raise", "skip"],
    arg(
        help="what to do about a record that is no document, or a damaged "
        "file: raise ends the run, skip leaves it out and lists it at the end"
    ),
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
    on_error: OnError = "raise"
    progress: Progress = True

    @contextmanager
    def records(self) -> Iterator[Iterator["Record"]]:
        """The documents, once; what was skipped is said in the end.

        Raises:
            ValueError: a path cannot be read, or no record of it all could.
        """
        with self._reading() as read:
            yield read()

    @contextmanager
    def twice(self) -> Iterator[Callable[[], Iterator["Record"]]]:
        """The documents, as often as asked; standard input goes to disk.

        Raises:
            ValueError: as :meth:`records`.
        """
        with self._reading() as read:
            if "-" not in self.paths:
                yield read
                return
            with TemporaryDirectory() as folder:
                yield self._kept(read(), Path(folder) / "input.jsonl")

    @contextmanager
    def _reading(self) -> Iterator[Callable[[], Iterator["Record"]]]:
        from scratchlm.text.corpora.faults import Skipped  # noqa: PLC0415

        skipped = Skipped()
        yield self._reader(skipped)
        for line in skipped.lines():
            say(line)

    def _reader(self, skipped: "Skipped") -> Callable[[], Iterator["Record"]]:
        from scratchlm.text.corpora.texts import (  # noqa: PLC0415
            list_files,
            read_records,
        )

        listing = list_files(self.paths)
        if listing.left_out:
            say(listing.notice())
        on_fault = skipped if self.on_error == "skip" else _refuse

        def read() -> Iterator["Record"]:
            skipped.begin()
            empty = True
            for record in read_records(
                listing.files, self.column, on_fault=on_fault
            ):
                empty = False
                yield record
            if empty and skipped.first:
                raise ValueError(
                    "no record could be read; the first fault: "
                    f"{skipped.first[0]}"
                )

        return read

    def _kept(
        self, records: Iterator["Record"], path: Path
    ) -> Callable[[], Iterator["Record"]]:
        from scratchlm.text.corpora.reading import records_of  # noqa: PLC0415
        from scratchlm.text.corpora.writing import (  # noqa: PLC0415
            write_records,
        )

        write_records(records, path, self.column)
        return lambda: records_of(path, self.column)


def _refuse(fault: "DataError") -> NoReturn:
    raise ValueError(
        f"{fault}; or leave out what cannot be read with --on-error skip"
    ) from None


def beside(
    records: Iterable["Record"],
    function: Callable[[Iterator[str]], Iterable[Result]],
) -> Iterator[tuple["Record", Result]]:
    """Each record, and what a function of all texts makes of its text.

    Args:
        records: read as the function asks for texts.
        function: gives one result for each text, in order; it may read some
            texts ahead.
    """
    waiting: deque[Record] = deque()

    def texts() -> Iterator[str]:
        for record in records:
            waiting.append(record)
            yield record.text

    for result in function(texts()):
        yield waiting.popleft(), result


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
