"""The LaTeX that a page becomes: parts, preface, fonts."""

from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import (
    docutils_namespace,
    patch_docutils,
)

from bookbuild.paper.latex import FONTS

EXTENSIONS = [
    "myst_parser",
    "sphinx_external_toc",
    "sphinx_exercise",
    "bookbuild.paper.latex",
]
TOC = """\
root: index
subtrees:
  - caption: Start here
    entries:
      - file: setup
  - caption: Text & more
    numbered: true
    entries:
      - file: text/first
      - file: text/second
  - caption: Model
    numbered: true
    entries:
      - file: model/block
  - caption: Back matter
    entries:
      - file: reference
"""
PAGES = {
    "index.md": "# The Book\n\nWhat you will build.\n\n## Who reads it\n\nYou",
    "setup.md": "# Setup\n\nInstall it.",
    "text/first.md": "# First é\n\nText.",
    "text/second.md": "# Second\n\nText.",
    "model/block.md": "# Block\n\nText.",
    "reference.md": "# Reference\n\nText.",
}


def build(folder: Path, index: str = PAGES["index.md"]) -> str:
    """Build a small book to LaTeX and give back its source."""
    source, out = folder / "source", folder / "latex"
    for name, text in {**PAGES, "index.md": index}.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (source / "_toc.yml").write_text(TOC)
    settings = {
        "project": "The Book",
        "extensions": EXTENSIONS,
        "external_toc_path": "_toc.yml",
        "numfig": True,
        "latex_engine": "xelatex",
        "latex_documents": [("index", "book.tex", "The Book", "Us", "manual")],
    }
    trees = folder / "doctrees"
    with patch_docutils(str(source)), docutils_namespace():
        Sphinx(source, None, out, trees, "latex", settings, None, None).build()
    return (out / "book.tex").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("latex")


@pytest.fixture(scope="module")
def tex(folder: Path) -> str:
    """The LaTeX of a book with all its parts."""
    return build(folder)


def _in_order(text: str, *parts: str) -> None:
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places), parts


def test_captions_become_parts(tex: str) -> None:
    """Catches a flat book: Sphinx drops the captions of the contents."""
    _in_order(
        tex,
        r"\chapter{Setup}",
        r"\mainmatter",
        r"\part{Text \& more}",
        r"\chapter{First é}",
        r"\chapter{Second}",
        r"\part{Model}",
        r"\chapter{Block}",
        r"\bytesbackmatter",
        r"\chapter{Reference}",
    )
    assert tex.count(r"\mainmatter") == 1
    assert r"\part{Start here}" not in tex


def test_the_root_page_becomes_the_preface(tex: str) -> None:
    """Catches sections of the root page that turn into chapters."""
    _in_order(
        tex,
        r"\chapter{Preface}",
        "What you will build.",
        r"\section{Who reads it}",
        r"\chapter{Setup}",
    )


def test_a_root_page_of_a_title_alone_makes_no_preface(
    tmp_path: Path,
) -> None:
    """Catches an empty chapter before the first."""
    assert "Preface" not in build(tmp_path, index="# The Book\n")


def test_chapters_open_with_the_bytes_of_their_title(tex: str) -> None:
    """Catches a mark that shows code points where it claims bytes."""
    expected = ",".join(str(byte) for byte in "First é".encode())
    _in_order(tex, f"\\bytesnext{{{expected}}}", r"\chapter{First é}")


@pytest.mark.usefixtures("tex")
def test_fonts_and_facts_lie_beside_the_source(folder: Path) -> None:
    """Catches a folder that only compiles on the machine that made it."""
    found = {path.name for path in (folder / "latex").iterdir()}
    fonts = {path.name for path in FONTS.glob("*.ttf")}
    assert fonts
    assert fonts | {"bytesmeta.tex", "bytesfallback.tex"} <= found


def test_other_builders_are_left_alone(tmp_path: Path) -> None:
    """Catches fonts and TeX files strewn into the web pages."""
    (tmp_path / "index.md").write_text("# The Book\n\nText.\n")
    with patch_docutils(str(tmp_path)), docutils_namespace():
        Sphinx(
            tmp_path,
            None,
            tmp_path / "out",
            tmp_path / "doctrees",
            "html",
            {"extensions": ["myst_parser", "bookbuild.paper.latex"]},
            status=None,
            warning=None,
        ).build()
    assert not list((tmp_path / "out").glob("bytes*"))


def test_a_book_without_a_contents_file_still_builds(tmp_path: Path) -> None:
    """Catches a crash where sphinx-external-toc is not loaded."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.rst").write_text(
        "Book\n====\n\n.. toctree::\n\n   page\n"
    )
    (source / "page.rst").write_text("Page\n====\n\nText.\n")
    with patch_docutils(str(source)), docutils_namespace():
        Sphinx(
            source,
            None,
            tmp_path / "out",
            tmp_path / "doctrees",
            "latex",
            {
                "extensions": [
                    "sphinx_exercise",
                    "bookbuild.paper.latex",
                ],
                "latex_documents": [
                    ("index", "book.tex", "The Book", "Us", "manual")
                ],
            },
            status=None,
            warning=None,
        ).build()
    assert r"\chapter{Page}" in (tmp_path / "out" / "book.tex").read_text()
