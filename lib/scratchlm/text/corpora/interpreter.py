"""Real text that every machine has: what comes with Python."""

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics

from scratchlm.text.corpora.texts import take_bytes

# Left out of the source: what the interpreter tests itself with (bulky and
# odd on purpose), and packages that someone installed.
SKIPPED = {"test", "tests", "idlelib", "lib2to3", "site-packages"}


def python_docs(max_bytes: int | None = None) -> Iterator[str]:
    """The documentation topics of the running interpreter.

    English prose with examples in Python, about 0.5 MB, in the order of the
    topics' names.

    Args:
        max_bytes: stop before the UTF-8 text would exceed it.
    """
    documents = (topics.topics[name] for name in sorted(topics.topics))
    return take_bytes(documents, max_bytes)


def python_source(max_bytes: int | None = None) -> Iterator[str]:
    """The source files of the running interpreter's standard library.

    About 11 MB of Python, in the order of the files' paths. Files that are
    not UTF-8 are left out, as are the tests of the interpreter.

    Args:
        max_bytes: stop before the UTF-8 text would exceed it.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(path.relative_to(root) for path in root.rglob("*.py"))
    wanted = (path for path in paths if not SKIPPED & set(path.parts))
    return take_bytes(_decodable(root / path for path in wanted), max_bytes)


def _decodable(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        if text:
            yield text
