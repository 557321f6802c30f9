"""What a result depends on: modules of ours, with all that those import.

A result is stale once a line that it ran has changed, and only then. Which
lines those are, the graph of imports says, imports inside functions included.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from grimp import ImportGraph, build_graph
from grimp.application.config import settings

PACKAGE = "scratchlm"
LIB = Path(__file__).parents[2]


class _Finder:
    """Find a package in one folder, whatever this process has imported."""

    def __init__(self, lib: Path):
        self.lib = lib

    def determine_package_directories(
        self, package_name: str, file_system: object
    ) -> set[str]:
        return {str(self.lib / package_name)}


def _graph(lib: Path) -> ImportGraph:
    before = settings.PACKAGE_FINDER
    settings.configure(PACKAGE_FINDER=_Finder(lib))
    try:
        return build_graph(PACKAGE, cache_dir=None)
    finally:
        settings.configure(PACKAGE_FINDER=before)


class Sources:
    """The modules of the package, their files and their imports.

    Args:
        lib: folder that holds the package.
    """

    def __init__(self, lib: Path = LIB):
        self.lib = lib
        self.graph = _graph(lib)

    def resolve(self, name: str) -> str:
        """Return the module that a dotted name lies in.

        Args:
            name: a module, or something in one, ``scratchlm.book.style.use``.
        """
        while name not in self.graph.modules and "." in name:
            name = name.rpartition(".")[0]
        return name if name in self.graph.modules else PACKAGE

    def needed(self, modules: Iterable[str]) -> set[str]:
        """Return modules with all that they import, directly or not.

        Importing a module runs the package that it lies in, so each package
        counts with what it imports in its turn.

        Args:
            modules: dotted names; what lies in a module stands for it, and
                ``scratchlm.*`` for the whole package.
        """
        found: set[str] = set()
        waiting: list[str] = []
        for name in modules:
            every = name == f"{PACKAGE}.*"
            waiting += self.graph.modules if every else [self.resolve(name)]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            waiting += self.graph.find_modules_directly_imported_by(name)
            if "." in name:
                waiting.append(name.rpartition(".")[0])
        return found

    def digest(self, modules: Iterable[str]) -> str:
        """Hash the files behind modules and all that those import.

        Args:
            modules: as in :meth:`needed`.

        Returns:
            64 hexadecimal digits.
        """
        total = hashlib.sha256()
        for name in sorted(self.needed(modules)):
            for path in self._files(name):
                total.update(str(path.relative_to(self.lib)).encode() + b"\0")
                total.update(hashlib.sha256(path.read_bytes()).digest())
        return total.hexdigest()

    def _files(self, name: str) -> Iterator[Path]:
        """Yield a module's file; of a package, also the data beside it."""
        path = self.lib.joinpath(*name.split("."))
        if not path.is_dir():
            yield path.with_suffix(".py")
            return
        yield path / "__init__.py"
        yield from _data_files(path)


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield what is neither code nor in a package of its own."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name != "__pycache__" and not any(path.glob("*.py")):
                yield from _data_files(path)
        elif path.suffix not in (".py", ".pyc"):
            yield path


@cache
def own_sources() -> Sources:
    """Return the sources of the package that runs, read once."""
    return Sources()


def imported_names(code: str) -> set[str]:
    """Return the dotted names that code imports, ``a.b.c`` for each.

    Args:
        code: Python.

    Raises:
        SyntaxError: it is not.
    """
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
