"""Long work whose result a page only reads, done once.

A training run or a sweep takes minutes, and a page is run again and again:
by the build, by the check of the notebooks, by a reader who changed another
cell. :func:`experiment` keeps what such a function returned, under a key of
all that decides it: its source, its arguments, what it uses of the page, and
the modules of ours that it runs. Change any of these and it runs anew.
"""

import ast
import dis
import hashlib
import inspect
import linecache
import random
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field, fields, is_dataclass
from functools import partial, update_wrapper
from pathlib import Path
from textwrap import dedent
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from scratchlm.book import plain
from scratchlm.book.sources import PACKAGE, imported_names, own_sources
from scratchlm.foundation.durable import write_whole

Arguments = ParamSpec("Arguments")
Outcome = TypeVar("Outcome")

_CHECKOUT = Path(__file__).parents[3]
_HOME = Path.home() / ".cache" / PACKAGE
_IN = _CHECKOUT / "_build" if (_CHECKOUT / "_toc.yml").exists() else _HOME
FOLDER = _IN / "experiments"
KEPT = 400  # results; the oldest beyond them go


class experiment(Generic[Arguments, Outcome]):
    """Keep what a function returns, until what decides it changes.

    The function stands in a cell of a page or in the package. It may use its
    arguments, what it imports, and of the page: modules, functions, classes
    and plain values. Arguments and result are plain, as
    :mod:`scratchlm.book.plain` says; arguments may also be frozen
    dataclasses, functions and classes.

    ::

        @experiment
        def losses(width, seeds):
            from scratchlm.model.transformer import Transformer
            ...
            return [loss for seed in seeds]

    Args:
        function: what to compute. Its draws come from a seed among its
            arguments or in its text; the page's generators stay as they
            were.

    Raises:
        ValueError: on a call, where an argument, the result or a value of
            the page that the function uses is not plain.
    """

    def __init__(self, function: Callable[Arguments, Outcome]):
        self.function = function
        update_wrapper(self, function)

    def __call__(
        self, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Outcome:
        """Return the kept result, or compute and keep it."""
        path = self.path(*args, **kwargs)
        try:
            kept: Outcome = plain.load(path.read_bytes())
        except (FileNotFoundError, ValueError):
            with _same_draws():
                data = plain.dump(self.function(*args, **kwargs))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
            _drop_oldest(path.parent)
            kept = plain.load(data)  # what later runs will see
        return kept

    def path(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Path:
        """Return where the result of these arguments is kept."""
        name = str(getattr(self.function, "__name__", "experiment"))
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        bound.apply_defaults()
        facts = _Facts(self.function.__module__)
        facts.add(self.function)
        facts.add(dict(bound.arguments))
        return FOLDER / f"{name}-{facts.key()[:20]}.npz"


class _Facts:
    """All that decides a result, gathered into one hash.

    Args:
        page: the module whose functions and classes count by their source.
    """

    def __init__(self, page: str):
        self.page = page
        self.digest = hashlib.sha256()
        self.modules: set[str] = set()
        self.seen: set[int] = set()

    def key(self) -> str:
        """Return the hash, 64 hexadecimal digits."""
        self._write("modules", own_sources().digest(self.modules))
        return self.digest.hexdigest()

    def add(self, value: Any) -> None:
        """Take up a value: an argument, or one that a function uses."""
        if isinstance(value, experiment):
            value = value.function
        if isinstance(value, types.ModuleType):
            self._add_module(value.__name__)
        elif isinstance(value, partial):
            self._write("partial")
            self.add((value.func, value.args, value.keywords))
        elif inspect.isroutine(value) or inspect.isclass(value):
            self._add_code(value)
        elif is_dataclass(value):
            self.add((type(value), *map(partial(_item, value), fields(value))))
        elif isinstance(value, dict):
            self.add(("dict", *value.items()))
        elif isinstance(value, list | tuple):
            self._write(type(value).__name__, str(len(value)))
            for part in value:
                self.add(part)
        elif _is_number_type(value):
            self._write("number type", str(value))
        else:
            self._write("value", hashlib.sha256(plain.dump(value)).hexdigest())

    def _write(self, *words: str) -> None:
        for word in words:
            self.digest.update(f"{len(word)}:{word};".encode())

    def _add_code(self, code: Any) -> None:
        """Take up a function or class; one of the page with all it uses."""
        code = inspect.unwrap(code)
        module = str(getattr(code, "__module__", None) or "builtins")
        self._write("name", module, str(getattr(code, "__qualname__", code)))
        if module != self.page:
            self._add_module(module)
        elif id(code) not in self.seen:
            self.seen.add(id(code))
            self._add_source(code)

    def _add_source(self, code: Any) -> None:
        source = _source(code)
        self._write("source", source)
        for imported in sorted(imported_names(source)):
            self._add_module(imported)
        self.add(getattr(code, "__defaults__", None) or ())
        self.add(getattr(code, "__kwdefaults__", None) or {})
        known = dict(vars(sys.modules[self.page]))
        if inspect.isfunction(code):
            known |= inspect.getclosurevars(code).nonlocals
        for name in sorted(_outer_names(source) & known.keys()):
            self._write("uses", name)
            try:
                self.add(known[name])
            except ValueError as error:
                raise ValueError(
                    f"{code.__qualname__} uses {name} of the page: {error}; "
                    "or give it as an argument"
                ) from error

    def _add_module(self, name: str) -> None:
        self._write("module", name)
        top = name.partition(".")[0]
        if top == PACKAGE:
            self.modules.add(name)
        elif top in sys.modules and name != self.page:
            version = getattr(sys.modules[top], "__version__", "")
            self._write("version", str(version))


def _is_number_type(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.dtype)


def _item(value: Any, field: Field[Any]) -> tuple[str, Any]:
    return field.name, getattr(value, field.name)


def _source(code: Any) -> str:
    """Return the source of a function or class.

    inspect finds a class by its module's file, which a notebook lacks: there
    the class stands in the newest cell that defines one of its name.
    """
    try:
        return dedent(inspect.getsource(code))
    except (OSError, TypeError):
        if not inspect.isclass(code):
            raise
    for file in reversed(list(linecache.cache)):
        if "ipykernel" not in file:
            continue
        text = "".join(linecache.getlines(file))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name == code.__name__:
                return dedent(ast.get_source_segment(text, node) or "")
    raise ValueError(
        f"the source of the class {code.__name__} is not to be had; define it "
        "inside the experiment"
    )


def _outer_names(source: str) -> set[str]:
    """Return the names that code looks up outside of its functions."""
    found: set[str] = set()
    waiting = [compile(source, "<source>", "exec")]
    while waiting:
        code = waiting.pop()
        waiting += [c for c in code.co_consts if isinstance(c, types.CodeType)]
        found |= {
            str(each.argval)
            for each in dis.get_instructions(code)
            if each.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        }
    return found


@contextmanager
def _same_draws() -> Iterator[None]:
    """Leave random generators as they were, as a result that is read does.

    Else a draw behind an experiment would differ from one run of the page
    to the next.
    """
    torch = sys.modules.get("torch")
    python, numpy = random.getstate(), np.random.get_state()
    drawn = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch:
            torch.set_rng_state(drawn)


def _drop_oldest(folder: Path) -> None:
    results = sorted(folder.glob("*.npz"), key=lambda p: p.stat().st_mtime)
    for path in results[:-KEPT]:
        path.unlink(missing_ok=True)
