"""Real text that every machine has. Chapter: book/text/tokenizer.md."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics

# Left out of the source: what the interpreter tests itself with (bulky and
# odd on purpose), and packages that someone installed.
SKIPPED = {"test", "tests", "idlelib", "lib2to3", "site-packages"}


def python_docs(max_bytes: int | None = None) -> Iterator[str]:
    """The documentation topics of the running interpreter.

    Chapter: book/text/tokenizer.md.

    English prose with examples in Python, about 0.5 MB, in the order of the
    topics' names.

    Args:
        max_bytes: stop before the UTF-8 text would exceed it.
    """
    documents = (topics.topics[name] for name in sorted(topics.topics))
    return _up_to(max_bytes, documents)


def python_source(max_bytes: int | None = None) -> Iterator[str]:
    """The source files of the running interpreter's standard library.

    Chapter: book/text/tokenizer.md.

    About 11 MB of Python, in the order of the files' paths. Files that are
    not UTF-8 are left out, as are the tests of the interpreter.

    Args:
        max_bytes: stop before the UTF-8 text would exceed it.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    wanted = (path for path in paths if not SKIPPED & set(path.parts))
    return _up_to(max_bytes, _decodable(root / path for path in wanted))


def _decodable(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if text:
            yield text


def _up_to(max_bytes: int | None, documents: Iterator[str]) -> Iterator[str]:
    size = 0
    for document in documents:
        size += len(document.encode())
        if max_bytes is not None and size > max_bytes:
            return
        yield document
