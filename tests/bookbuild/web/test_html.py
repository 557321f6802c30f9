"""The HTML extension, on a project of two pages."""

import io
import shutil
from pathlib import Path

import pytest
from pybtex import plugin
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from bookbuild.web import html
from scratchlm.book import style

BOOK = Path(__file__).parents[3] / "book"
NOTEBOOK = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# Chapter

A promise.

```{code-cell} python
1 + 1
```
"""
INDEX = """# Title

What it is.

```{toctree}
setup
text/chapter
```
"""
EXTENSIONS = [
    "myst_nb",
    "sphinx_thebe",
    "sphinx_book_theme",
    "sphinx-mathjax-offline",
    "bookbuild.web.html",
]


def build(root, pages):
    """Build the pages with the book's own templates; return warnings."""
    source = root / "source"
    shutil.copytree(BOOK / "_templates", source / "_templates")
    for name, text in pages.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    fig, ax = style.figure(height=1)
    ax.plot([1, 2])
    style.save(fig, source / "line.svg", "svg")
    warnings = io.StringIO()
    settings = {
        "project": "Title",
        "extensions": EXTENSIONS,
        "templates_path": ["_templates"],
        "html_theme": "sphinx_book_theme",
        "html_sourcelink_suffix": "",
        "html_theme_options.article_header_end": "article-header-buttons.html",
        "html_sidebars": {"**": ["navbar-logo.html", "sbt-sidebar-nav.html"]},
        "nb_execution_mode": "off",
    }
    with patch_docutils(), docutils_namespace():
        Sphinx(
            srcdir=source,
            confdir=None,
            outdir=root / "out",
            doctreedir=root / "trees",
            buildername="html",
            confoverrides=settings,
            status=None,
            warning=warnings,
        ).build()
    return warnings.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    pages = {
        "index.md": INDEX,
        "setup.md": "# Setup\n\n![A line.](line.svg)\n",
        "text/chapter.md": NOTEBOOK,
    }
    warnings = build(root, pages)
    return root / "out", warnings


def read(site, name):
    return (site[0] / name).read_text("utf-8")


def test_a_sound_project_builds_without_a_warning(site):
    """An extension that warns by itself makes the strict build fail."""
    assert site[1] == ""


def test_a_notebook_offers_itself_its_source_and_the_book(site):
    """A link relative to the root breaks on pages inside a folder."""
    page = read(site, "text/chapter.html")
    assert 'href="../_sources/text/chapter.ipynb"' in page
    assert 'href="../_sources/text/chapter.md"' in page
    assert 'href="../from-bytes-to-assistant.pdf"' in page
    assert (site[0] / "_sources/text/chapter.md").is_file()


def test_a_plain_page_offers_no_notebook(site):
    """A page without cells has no notebook, and the link would be dead."""
    page = read(site, "setup.html")
    assert ".ipynb" not in page
    assert 'href="_sources/setup.md"' in page


def test_the_search_page_offers_the_book_alone(site):
    """It has no source: a link to _sources/search.md would be dead."""
    page = read(site, "search.html")
    assert "from-bytes-to-assistant.pdf" in page
    assert "_sources/search" not in page


def test_no_page_speaks_of_thebe_or_another_host(site):
    """Thebe declares its CDN constant twice, which is a script error."""
    for path in site[0].rglob("*.html"):
        text = path.read_text("utf-8")
        assert "thebe" not in text.lower(), path
        for mark in ('src="http', 'src="//', "unpkg", "jsdelivr"):
            assert mark not in text, (path, mark)


def test_there_is_one_way_to_search(site):
    """Theme and sidebar each bring a box, which the reader sees twice."""
    assert read(site, "setup.html").count("search-button__button") == 1


def test_the_cover_starts_with_the_first_chapter(site):
    """The page after the cover explains set-up; a reader wants to read."""
    page = read(site, "index.html")
    assert page.index("</h1>") < page.index("cover-start")
    assert 'class="cover-start" href="text/chapter.html"' in page
    assert "cover-start" not in read(site, "setup.html")


def test_fonts_come_with_the_pages_and_their_licence(site):
    """The licence asks to travel with the fonts."""
    names = {path.name for path in (site[0] / "_static/fonts").iterdir()}
    assert {Path(path).name for path in style.font_paths()} < names
    assert {"OFL.txt", "LICENSES.txt"} < names


def test_a_drawing_fills_the_measure(site):
    """Unsized, 9 pt text drawn for paper is 12 px on the screen."""
    page = read(site, "setup.html")
    assert 'alt="A line."' in page
    assert "width: 661px" in page


def test_an_image_without_alt_text_warns(tmp_path):
    """Docutils then reads the file name to a blind reader."""
    images = "![](line.svg)\n\n```{image} line.svg\n```\n"
    warnings = build(tmp_path, {"index.md": f"# Title\n\n{images}"})
    assert warnings.count("line.svg has no alt text") == 2
    assert warnings.count("WARNING") == 2


def test_a_notebook_file_is_a_notebook(tmp_path):
    """Only Markdown needs a look inside."""
    assert html.is_notebook(tmp_path / "x.ipynb")
    assert not html.is_notebook(tmp_path / "x.rst")


def test_a_citation_searches_no_packages(site, monkeypatch):
    """pybtex read the list of all that is installed for each of them."""
    monkeypatch.delattr("pybtex.plugin.entry_points")
    assert plugin.find_plugin("pybtex.backends", "plaintext")
