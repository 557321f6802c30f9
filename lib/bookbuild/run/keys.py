"""What decides the outputs of a page, besides its cells.

A key of the whole package would run the whole book after each edit; a key of
the cells alone would show what the package printed before it.
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bookbuild.contents import code_cells
from scratchlm.book.sources import PACKAGE, Sources, imported_names

_HERE = Path(__file__).parent
# How cells run decides what they print.
_RUNNERS = ("kernels.py", "descriptors.py")
_IMPORT = re.compile(rf"^\s*(from|import)\s+{PACKAGE}\b.*$", re.MULTILINE)
# A program, a file or a module of it that no import statement names.
_NAMED = re.compile(rf"-m[\s\"',]+{PACKAGE}\b|\b{PACKAGE}[./]")
_RECORDED = ("results", "artifacts")  # folders of book/


class PageKeys:
    """The keys of a checkout's pages.

    Args:
        root: folder of the checkout.
    """

    def __init__(self, root: Path):
        self.root = root
        self.sources = Sources(root / "lib")
        digest = hashlib.sha256(platform.python_version().encode())
        runners = [_HERE / name for name in _RUNNERS]
        for path in [root / "requirements.lock", *runners]:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        self.all_pages = digest.hexdigest()

    def key(self, notebook: Any) -> str:
        """Hash what a page's cells use.

        That is the modules of ours that they import, with all that those
        import; the recorded results and artifacts that they name; the lock
        file, Python's version, and how kernels run.

        Args:
            notebook: the page's.

        Returns:
            16 hexadecimal digits.
        """
        digest = hashlib.sha256(self.all_pages.encode())
        code = [cell.source for cell in code_cells(notebook)]
        names = {name for source in code for name in used_modules(source)}
        digest.update(self.sources.digest(names).encode())
        for path in self._recorded("\n".join(code)):
            digest.update(str(path.relative_to(self.root)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def _recorded(self, code: str) -> Iterator[Path]:
        """Yield the files of results and artifacts that code may read.

        Code names them. Where a name is put together from parts, none of
        ours is found in the text, and all may be meant.
        """
        for folder in _RECORDED:
            if folder.rstrip("s") not in code:
                continue
            parent = self.root / "book" / folder
            entries = sorted(parent.iterdir()) if parent.is_dir() else []
            named = [entry for entry in entries if entry.stem in code]
            for entry in named or entries:
                yield from source_files(entry) if entry.is_dir() else [entry]


def used_modules(code: str) -> set[str]:
    """Return the modules of ours that a cell uses.

    A cell that names a program, a file or a module of the package other than
    in an import may use all of it.

    Args:
        code: the source of a cell.
    """
    try:
        names = imported_names(code)
    except SyntaxError:  # a magic of IPython's
        return _every_module(code)
    ours = {name for name in names if name.partition(".")[0] == PACKAGE}
    return ours | _every_module(_IMPORT.sub("", code))


def _every_module(code: str) -> set[str]:
    return {f"{PACKAGE}.*"} if _NAMED.search(code) else set()


def source_files(folder: Path) -> Iterator[Path]:
    """Yield the files under a folder in a fixed order, byte code aside.

    Args:
        folder: where to look; need not exist.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
