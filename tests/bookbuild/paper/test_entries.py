"""Entries of the reference on paper: everything said, and no air."""

import re
import sys
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

INDEX = """\
The Book
========

.. toctree::
   :numbered:

   text/first
   text/second

.. toctree::

   reference
"""
REFERENCE = """\
Reference
=========

Circles
-------

.. automodule:: geometry.circles
   :members:

.. automodule:: geometry.squares
   :members:

.. autoclass:: geometry.circles.Ring
"""
CIRCLES = '''\
"""Round things. Chapter: book/text/first.md.

They roll.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Ring(NamedTuple):
    """A hole with an edge.

    Chapter: book/text/first.md.

    Args:
        inner: radius of the hole: a length.
        outer: radius of the edge.

    Raises:
        ValueError: they are equal.
        TypeError: one is no number.
    """

    inner: float
    outer: float

    @property
    def area(self) -> float:
        """Of the edge: the hole is empty. Chapter: book/text/second.md."""

    def scaled(self, factor: float, *, rounding_mode: str = "nearest",
               number_of_digits: int = 12) -> list[float]:
        """Grow.

        Returns:
            Both radii, after the change.
        """


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """Rings on an axle. Chapter: book/text/first.md."""

    rings: list[Ring] = field(default_factory=list)


def roll(ring: Ring, turns: int) -> float:
    """Roll it on a plane that is long enough for all of its turns, and say
    how far it came. Chapter: book/text/first.md."""
'''
SQUARES = '''\
"""Things with corners. Chapter: book/text/gone.md."""


def side(area: float) -> float:
    """From its area. Chapter: book/text/second.md."""
'''


def build(folder: Path, builder: str) -> str:
    pages = {
        "source/index.rst": INDEX,
        "source/reference.rst": REFERENCE,
        "source/text/first.rst": "First\n=====\n",
        "source/text/second.rst": "Second\n======\n",
        "lib/geometry/__init__.py": "",
        "lib/geometry/circles.py": CIRCLES,
        "lib/geometry/squares.py": SQUARES,
    }
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
    source, trees = folder / "source", folder / "doctrees"
    extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
    extensions += ["sphinx_exercise", "sphinx_proof"]
    extensions += ["bookbuild.web.reference", "bookbuild.paper.latex"]
    settings = {
        "extensions": extensions,
        "maximum_signature_line_length": 20,
        "autodoc_member_order": "bysource",
        "latex_documents": [("index", "book.tex", "The Book", "", "manual")],
    }
    with patch_docutils(str(source)), docutils_namespace():
        Sphinx(
            source, None, folder / "out", trees, builder, settings, None, None
        ).build()
    made = {"latex": "book.tex", "html": "reference.html"}[builder]
    return (folder / "out" / made).read_text("utf8")


@pytest.fixture(scope="module")
def tex(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reference of two modules, as LaTeX; links to pages as [title]."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "lib"))
        source = build(folder, "latex")
    for name in ("geometry.circles", "geometry.squares", "geometry"):
        sys.modules.pop(name, None)
    source = source[source.index(r"\chapter{Reference}") :]
    link = r"\{\\hyperref\[[^]]*::doc\}\]\{\\sphinxcrossref\{(.*?)\}+"
    return re.sub(link, r"[\1]", source)


def entry(tex: str, name: str) -> str:
    """From a name's signature to the next one's."""
    start = tex.index(rf"\sphinxbfcode{{\sphinxupquote{{{name}}}}}")
    end = tex.find(r"\pysigstartsignatures", start)
    return tex[start : end if end > 0 else None]


def test_a_module_is_named_with_its_chapter_once(tex):
    """Entries without a heading seem to belong to the module above."""
    first, second = re.findall(r"\\bytesmodule\{(.*?)\}\{%\n(.*)", tex)
    assert first[0] == "geometry.circles"
    assert "Chapter\u00a01" in first[1]
    assert second[0] == "geometry.squares"
    assert "text/gone" in second[1]
    for once in (r"\begin{bytesreference}", r"\end{bytesreference}"):
        assert tex.count(once) == 1
    assert tex.index(r"\begin{bytesreference}") < tex.index(r"\bytesmodule")


def test_an_entry_names_no_chapter_but_another_one(tex):
    """The module's own stood below each of its names, a line each time."""
    assert "Chapter" not in entry(tex, "roll")
    assert "Chapter" not in entry(tex, "Ring")
    assert "Chapter\u00a02" in entry(tex, "area")
    assert "Chapter\u00a02" in entry(tex, "side")
    assert "how far it came." in entry(tex, "roll")


def test_signatures_are_lines_and_only_names_are_bold(tex):
    """One argument a line made signatures half of the reference."""
    assert r"\pysigwithonelineperarg" not in tex
    # Only a name that stands below another module keeps its own.
    prefix = r"\sphinxcode{\sphinxupquote{geometry.circles.}}"
    assert tex.count(prefix) == 1
    assert tex.index(prefix) > tex.index("side}}")
    assert r"\sphinxbfcode{\sphinxupquote{class" not in tex
    assert r"\bytesreturns{}" in entry(tex, "roll")
    assert "rounding" in entry(tex, "scaled")


def test_fields_are_told_without_their_headings(tex):
    """A list in a list in a quotation, each with its own margin."""
    ring = entry(tex, "Ring")
    assert "Parameters" not in ring
    assert ring.count(r"\begin{bytesfield}") == 4
    assert ring.count(r"\end{bytesfield}") == 4
    assert "radius of the hole: a length." in ring
    for error in ("ValueError", "TypeError"):
        label = r"\bytesfieldname{Raises}%" + "\n"
        assert re.search(re.escape(label) + rf".*{error}", ring)
    assert ring.count(r"\bytesfieldname{Raises}") == 2
    assert r"\bytesfieldname{Returns}" in entry(tex, "scaled")


def test_a_line_holds_a_short_entry(tex):
    """One line for the signature, one for five words, one for the gap."""
    before = [text[-200:] for text in tex.split(r"\begin{fulllineitems}")]
    names = ("Ring", "area", "scaled", "Wheel", "roll", "side")
    named = dict(zip(names, before, strict=False))
    short = {n for n, text in named.items() if r"\bytesrunin" in text}
    assert short == {"area", "Wheel", "side"}


def test_what_stands_before_a_colon_is_no_type(tex):
    """Napoleon printed "Type: Of the edge" below a property."""
    assert "Of the edge: the hole is empty." in entry(tex, "area")
    assert "bytesfieldname{Type}" not in tex


def test_a_default_made_anew_keeps_the_signature_whole(tex):
    """Sphinx fell back to the raw text, with a tilde before each type."""
    wheel = entry(tex, "Wheel")
    assert "factory" not in tex
    assert "~" not in wheel
    assert r"\DUrole{n}{rings}" in wheel


def test_fields_of_a_named_tuple_are_told_by_its_class(tex):
    """ "Alias for field number 0" says nothing, once for each field."""
    assert "Alias for" not in tex


def test_the_web_page_keeps_its_room(tmp_path, monkeypatch):
    """What makes paper dense makes a page that is searched hard to scan."""
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    page = build(tmp_path, "html")
    assert "bytes" not in re.sub(r'="[^"]*"', "", page)
    assert page.count("Parameters") >= 1
    assert "geometry.circles." in page
