"""A book of two chapters, small enough to build inside a test."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import nbformat
import pytest
from myst_parser.config.main import MdParserConfig
from sphinx.config import Config

from bookbuild.contents import Page, code_cells
from bookbuild.notebook.citations import Citations
from bookbuild.notebook.inline import Context
from bookbuild.notebook.labels import Label
from bookbuild.run import execute
from bookbuild.run.kernels import environment

HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""

CONFIG = """\
title: Tiny
author: Nobody
only_build_toc_files: true
execute:
  execute_notebooks: cache
  timeout: 60
  stderr_output: error
parse:
  myst_enable_extensions: [amsmath, colon_fence, dollarmath]
bibtex_bibfiles: [references.bib]
sphinx:
  extra_extensions: [sphinx_exercise]
  config:
    numfig: true
    bibtex_reference_style: author_year
    use_jupyterbook_latex: false
latex:
  latex_documents:
    targetname: from-bytes-to-assistant.tex
"""

TOC = """\
format: jb-book
root: index
parts:
  - caption: Text
    numbered: true
    chapters:
      - file: text/one
      - file: text/two
  - caption: Back matter
    chapters:
      - file: bibliography
"""

BIB = """\
@book{knuth, author={Donald Knuth}, title={Sorting}, publisher={AW},
  address={Reading}, year={1973}}
@article{two, author={Ann Ash and Bo Birch}, title={Trees},
  journal={Wood}, year={2001}}
@article{many, author={Ann Ash and Bo Birch and Cy Cedar},
  title={Forests}, journal={Wood}, year={2002}}
@misc{nobody, title={Anonymous}, year={2003}}
"""

ONE = """\
    (one)=
    # One

    Cited {cite}`knuth`.

    ```{code-cell} python
    :tags: [nbval-check-output]

    total = 1 + 1
    print(total)
    ```

    ```{code-cell} python
    from myst_nb import glue

    glue("total", total * 1.25, display=False)
    ```

    The total is {glue:text}`total:.1f`; {ref}`two` follows.
    """

TWO = """\
    (two)=
    # Two

    ```{code-cell} python
    import os

    print(os.path.basename(os.getcwd()))
    ```
    """


class TinyBook:
    """A checkout in a temporary folder, and ways to edit it."""

    def __init__(self, root: Path):
        self.root = root
        self.cache_root = root / "_build" / ".jupyter_cache"

    def write(self, name: str, text: str) -> Path:
        """Write a file of the checkout."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
        return path

    def chapter(self, name: str, text: str) -> Path:
        """Write a page with a notebook header."""
        return self.write(f"book/{name}.md", HEADER + dedent(text))


def _write_tiny_book(root: Path) -> TinyBook:
    book = TinyBook(root)
    book.write("_config.yml", CONFIG)
    book.write("_toc.yml", TOC)
    book.write("pyproject.toml", "")
    book.write("requirements.lock", "one==1\n")
    for package in ("", "text/", "text/tokenizer/"):
        book.write(f"lib/scratchlm/{package}__init__.py", "")
    book.write("lib/scratchlm/text/tokenizer/bpe.py", "PAIRS = 1\n")
    book.write("book/references.bib", BIB)
    book.write("book/index.md", "# Tiny\n")
    book.write(
        "book/bibliography.md", "# Bibliography\n\n```{bibliography}\n```\n"
    )
    book.chapter("text/one", ONE)
    book.chapter("text/two", TWO)
    return book


@pytest.fixture(autouse=True)
def _own_source_suffixes():
    """Sphinx lets each application write into one shared default, so the
    parser of one test's book would be asked for in the next test's."""
    Config.config_values["source_suffix"].default.clear()
    Config.config_values["source_suffix"].default[".rst"] = "restructuredtext"


@pytest.fixture(scope="session")
def write_tiny_book() -> Callable[[Path], TinyBook]:
    """Call it with a folder: a fresh checkout there."""
    return _write_tiny_book


@pytest.fixture
def tiny_book(tmp_path: Path) -> TinyBook:
    """A fresh checkout."""
    return _write_tiny_book(tmp_path / "checkout")


@contextmanager
def _home_without_fonts(parent: Path) -> Iterator[dict[str, str]]:
    """A home for kernels that draw nothing."""
    with TemporaryDirectory(dir=parent, prefix=".new-") as home:
        yield environment(Path(home))


@pytest.fixture(autouse=True)
def _no_font_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """List no fonts, which takes as long as a kernel and its cells."""
    monkeypatch.setattr(execute, "fresh_home", _home_without_fonts)


@pytest.fixture(scope="session")
def executed_once(once: Callable[..., Path]) -> Path:
    """The cache of the tiny book; kernels are slow to start."""

    def fill(root: Path) -> None:
        book = _write_tiny_book(root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(execute, "fresh_home", _home_without_fonts)
            execute.execute_book(book.root, book.cache_root)

    return TinyBook(once("executed", fill)).cache_root


@pytest.fixture
def executed_book(tiny_book: TinyBook, executed_once: Path) -> TinyBook:
    """A checkout whose chapters have run."""
    shutil.copytree(executed_once, tiny_book.cache_root)
    return tiny_book


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Chapters that count as run, without outputs and at once."""

    def run_nothing(
        notebook: nbformat.NotebookNode,
        folder: Path,
        settings: object,
        each_cell: Callable[[int], object],
    ) -> None:
        for index, _ in enumerate(code_cells(notebook)):
            each_cell(index)

    monkeypatch.setattr(execute, "run_notebook", run_nothing)
    return monkeypatch


class Witness:
    """A program that runs until it is ended, and whether it still does.

    It holds a named pipe open, as does whatever it starts. The system closes
    the pipe with the last of them, whoever reaps them.
    """

    def __init__(self, path: Path):
        os.mkfifo(path)
        self.pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.script = f"exec 3>{path}; echo up >&3; sleep 1000; true"

    def _read_until(self, wanted: bytes) -> None:
        for _ in range(1200):
            try:
                if os.read(self.pipe, 100) == wanted:
                    return
            except BlockingIOError:
                pass
            time.sleep(0.05)
        pytest.fail(f"a minute without {wanted!r} from the pipe")

    def wait_for_start(self) -> None:
        """Return once the program runs."""
        self._read_until(b"up\n")

    def wait_for_end(self) -> None:
        """Return once it and what it started are gone."""
        self._read_until(b"")


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """A program to start, and to see gone."""
    seen = Witness(tmp_path / "alive")
    yield seen
    os.close(seen.pipe)


@pytest.fixture
def parser() -> MdParserConfig:
    extensions = {"amsmath", "colon_fence", "dollarmath", "substitution"}
    return MdParserConfig(enable_extensions=extensions)


@pytest.fixture
def context(tiny_book: TinyBook) -> Context:
    """What page ``text/one`` may refer to."""
    label = partial(Label, page="text/one")
    return Context(
        page=Page(
            name="text/one",
            path=tiny_book.root / "book/text/one.md",
            chapter=1,
        ),
        glued={
            "ratio": nbformat.from_dict({"data": {"text/plain": "1.25"}}),
            "word": nbformat.from_dict({"data": {"text/plain": "'cat'"}}),
        },
        labels={
            "fig-x": label(kind="figure", number="1.2"),
            "eq-x": label(kind="equation", number="1.3"),
            "tab-x": label(kind="table", number="1.1"),
            "list-x": label(kind="listing", number="1.1"),
            "ex-x": label(kind="exercise", number="1.4"),
            "sec-x": label(kind="section", number="1.5", title="A *title*"),
        },
        titles={"text/two": "Two", "index": "Tiny"},
        notebooks=frozenset({"text/one", "text/two"}),
        citations=Citations(tiny_book.root / "book/references.bib"),
    )
