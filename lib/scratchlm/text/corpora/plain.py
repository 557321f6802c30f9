"""Documents in plain text, with lines between them that part them."""

import re
from collections.abc import Iterator
from pathlib import Path

from scratchlm.text.corpora.byte_streams import decode, read_chunks

# Between the documents of a .txt file, as the files of TinyStories have it.
MARK = "<|endoftext|>"
SEPARATOR = f"\n{MARK}\n"

# Alone on its line, but for spaces after it. A joined file can have a byte
# order mark before it.
_LINE = rf"^\ufeff?{re.escape(MARK)}[ \t]*+"
_MARK_LINE = re.compile(rf"{_LINE}(\r?)\n", re.M)
_LAST_LINE = re.compile(rf"{_LINE}\r?\Z", re.M)


def read_plain(path: Path) -> Iterator[str]:
    """The parts of a text file between its ``<|endoftext|>`` lines.

    A file without such a line is one document. What stands before a line is
    a document if it has a line of its own, and be that empty; so two marks
    one after the other have nothing between them.

    Raises:
        FileError: the file is not UTF-8, or its compression is damaged.
    """
    text, line = "", 0  # what is held, and where its last line begins
    waiting: list[str] = []  # parts of a line that goes on, joined at its end
    for part in decode(read_chunks(path), path):
        waiting.append(part)
        if "\n" not in part:
            continue
        text, done = "".join([text, *waiting]), 0
        waiting.clear()
        for mark in _MARK_LINE.finditer(text, line):
            if mark.start() > done:
                yield _before(text[done : mark.start()], mark[1])
            done = mark.end()
        text = text[done:]
        line = len(text) - (len(part) - 1 - part.rindex("\n"))
    text = "".join([text, *waiting])
    last = _LAST_LINE.match(text, line)
    if not last and text:
        yield text
    elif last and last.start():
        yield _before(text[: last.start()], "\r")


def _before(text: str, line_end: str) -> str:
    """A document without the line end that belongs to the mark after it.

    That is a carriage return and a line feed where the mark ends so too.
    """
    text = text[:-1]
    return text.removesuffix("\r") if line_end else text
