"""Entries of the reference on paper: a name and a sentence on each line."""

import re
import sys

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

INDEX = """\
The Book
========

.. toctree::
   :numbered:

   text/first

.. toctree::

   reference
"""
REFERENCE = """\
Reference
=========

All names.

Circles
-------

Round things.

.. automodule:: geometry.text.first.circles
   :members:

.. automodule:: geometry.squares
   :members:
"""
CIRCLES = '''\
"""Round things.

They roll.

* far
"""

#: Sides that they have; none.
SIDES = 0


class Ring:
    """A hole with an edge. More of it.

    Args:
        inner: radius of the hole.
    """

    def scaled(self) -> None:
        """Grow."""


def roll(ring: Ring) -> float:
    """Roll it e.g. on a plane, as :meth:`Ring.scaled` does, as far as
    ``turns`` say. The rest stays."""
'''
SQUARES = '''\
"""Things with corners."""


def side(area: float) -> float:
    """From its area"""
'''


@pytest.fixture(scope="module")
def tex(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The reference of two modules, as LaTeX."""
    folder = tmp_path_factory.mktemp("reference")
    pages = {
        "source/index.rst": INDEX,
        "source/reference.rst": REFERENCE,
        "source/text/first.rst": "First\n=====\n",
        "lib/geometry/__init__.py": "",
        "lib/geometry/text/__init__.py": "",
        "lib/geometry/text/first/__init__.py": "",
        "lib/geometry/text/first/circles.py": CIRCLES,
        "lib/geometry/squares.py": SQUARES,
    }
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
    source, out = folder / "source", folder / "out"
    extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
    extensions += ["sphinx_exercise", "bookbuild.web.reference"]
    settings = {
        "extensions": [*extensions, "bookbuild.paper.latex"],
        "autodoc_member_order": "bysource",
        "latex_documents": [("index", "book.tex", "The Book", "", "manual")],
    }
    trees = folder / "doctrees"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "lib"))
        with patch_docutils(str(source)), docutils_namespace():
            Sphinx(
                source, None, out, trees, "latex", settings, None, None
            ).build()
    for name in [m for m in sys.modules if m.startswith("geometry")]:
        del sys.modules[name]
    text = (out / "book.tex").read_text("utf8")
    return text[text.index(r"\chapter{Reference}") :]


def lines(tex: str) -> list[str]:
    """What is printed for each name, without its marks for the index."""
    body = tex[tex.index(r"\begin{bytesreference}") :]
    body = re.sub(r"\\(index|label|phantomsection)(\{.*?\})*", "", body)
    found = re.findall(r"\\sphinxstylestrong\{.*?(?=\n\n|\Z)", body, re.S)
    return [re.sub(r"\s+", " ", line).strip() for line in found]


def test_a_module_is_named_with_its_chapter_once(tex: str) -> None:
    """Entries without a heading seem to belong to the module above."""
    first, second = re.findall(r"\\bytesmodule\{(.*?)\}\{(.*)\}", tex)
    assert first[0] == "geometry.text.first.circles"
    assert "{text/first::doc}" in first[1]
    assert "Chapter~1" in first[1]
    assert second == ("geometry.squares", "")
    assert tex.count(r"\begin{bytesreference}") == 1
    assert tex.count(r"\end{bytesreference}") == 1


def test_each_name_has_a_line_with_its_first_sentence(tex: str) -> None:
    """Everything said, the reference filled a fifth of the book."""
    sides, ring, roll, side = lines(tex)
    assert "{SIDES}" in sides
    assert sides.endswith("Sides that they have; none.")
    assert "{Ring}" in ring
    assert ring.endswith("A hole with an edge.")
    assert "{roll()}" in roll
    assert "e.g. on a plane, as" in roll
    assert roll.endswith("say.")
    assert side.endswith("From its area")
    for gone in ("radius of the hole", "Grow", "They roll", "far}"):
        assert gone not in tex


def test_what_stands_above_the_modules_stays(tex: str) -> None:
    """A section says what its modules have in common."""
    before = tex[: tex.index(r"\begin{bytesreference}")]
    assert "All names." in before
    assert before.rstrip().endswith("Round things.")


def test_a_sentence_links_to_no_method(tex: str) -> None:
    """LaTeX fails on a link to a label that no line defines."""
    name = "geometry.text.first.circles.Ring"
    assert rf"\label{{\detokenize{{reference:{name}}}}}" in tex
    assert r"\hyperref[\detokenize{reference:" not in tex
    assert f"{name}.scaled" not in tex


def test_the_index_has_the_bare_name(tex: str) -> None:
    """Half a measure is narrow for "(in module ...)" behind each name."""
    assert r"\spxentry{roll()}" in tex
    assert "in module" not in tex
    assert r"\spxentry{scaled" not in tex
