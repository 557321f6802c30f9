"""The command line: ``python -m scratchlm``. Chapter: book/text/corpora.md.

Each command reads files, folders or the standard input, writes one file or
the standard output, and shows its progress on the standard error. What a
command needs is imported when it runs, so that ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm
from tyro.conf import Positional, arg

USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
PIPE_CLOSED = 141  # 128 + SIGPIPE

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
class Corpus:
    """Write a corpus to a file.

    The sources: tinyworld, made by the book's world whose entropy is known;
    python-docs and python-source, from the running interpreter; shakespeare,
    tinystories and fineweb-edu, public data at a fixed revision, fetched
    over the network. Where the variable SCRATCHLM_DATA names a folder, what
    is in it is not fetched: tinyshakespeare.txt, or a folder tinystories
    with parquet, jsonl or txt files.

    Example: python -m scratchlm corpus tinyworld --seed 7 -o world.jsonl
    """

    source: Positional[
        Literal[
            "tinyworld",
            "python-docs",
            "python-source",
            "shakespeare",
            "tinystories",
            "fineweb-edu",
        ]
    ]
    """where the text comes from"""
    out: Output = "-"
    megabytes: float = 10.0
    """stop before it is more than this many million bytes"""
    seed: int = 0
    """which documents of tinyworld"""
    cache: Path = Path("~/.cache/scratchlm")
    """the folder that keeps what was downloaded"""
    progress: Progress = True

    def run(self) -> None:
        """Do it. Chapter: book/text/corpora.md."""
        from scratchlm.text.corpora import (  # noqa: PLC0415
            take_bytes,
            write_texts,
        )

        if not self.megabytes > 0:
            raise ValueError(
                f"--megabytes is {self.megabytes:g}; give more than 0"
            )
        max_bytes = int(self.megabytes * 1_000_000)
        texts = take_bytes(self._texts(), max_bytes)
        write_texts(_watched(texts, self, total=max_bytes), self.out)

    def _texts(self) -> Iterator[str]:
        from scratchlm.text import corpora, public_data  # noqa: PLC0415

        if self.source == "tinyworld":
            from scratchlm.text.tinyworld import TinyWorld  # noqa: PLC0415

            documents = TinyWorld(seed=0).documents(self.seed)
            return (document.text for document in documents)
        if self.source == "python-docs":
            return corpora.python_docs()
        if self.source == "python-source":
            return corpora.python_source()
        folder = public_data.data_folder(os.environ)
        if self.source == "shakespeare":
            file = public_data.TINY_SHAKESPEARE.fetch(
                self.cache.expanduser(), folder=folder, progress=self.progress
            )
            return corpora.read_texts(file)
        return public_data.HUB_DATASETS[self.source].texts(folder)


def _watched(
    texts: Iterable[str], command: Corpus, total: int | None = None
) -> Iterator[str]:
    """The same texts, and a bar that counts their bytes."""
    with tqdm(
        desc=type(command).__name__.lower(),
        total=total,
        unit="B",
        unit_scale=True,
        disable=not command.progress,
    ) as bar:
        for text in texts:
            yield text
            bar.update(len(text.encode()))


COMMANDS = {
    "corpus": Corpus,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Chapter: book/text/corpora.md.

    Args:
        arguments: the words after ``python -m scratchlm``; those of this
            process by default.

    Returns:
        The exit code: 0 done, 2 a mistake in what was asked or given, 130
        interrupted, 141 the reader of the output has gone.
    """
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="scratchlm",
            description="Text for language models: make it, clean it, "
            "deduplicate it, tokenize it.",
            args=arguments,
        )
        command.run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Python would complain once more when it flushes at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        reason = error.strerror or str(error)
        name = f"{error.filename}: " if error.filename else ""
        return _fail(f"{name}{reason}", USER_ERROR)
    except ValueError as error:
        return _fail(str(error), USER_ERROR)
    return 0


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"scratchlm: {line}\n")
    return code
