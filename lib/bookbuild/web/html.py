"""The HTML's design, as a Sphinx extension on top of the theme."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.core.read import is_myst_markdown_notebook
from pybtex.plugin import find_plugin, register_plugin
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

_LOG = logging.getLogger(__name__)

PDF = "from-bytes-to-assistant.pdf"
# A figure is drawn for the PDF's text block of 5.3 inches with 9 pt text.
# Enlarged by this, it fills the measure of the page and reads as 15 px.
_SCALE = 1.3
_WIDTH = re.compile(r"<svg[^>]*\bwidth=\"([\d.]+)pt\"")


def is_notebook(source: Path) -> bool:
    """Tell whether a page's source is a notebook in Markdown.

    Args:
        source: path of the source file.
    """
    if source.suffix != ".md":
        return source.suffix == ".ipynb"
    return bool(is_myst_markdown_notebook(source.read_text("utf-8")))


def downloads(app: Sphinx, page: str, context: dict[str, Any]) -> list[Any]:
    """List a page's downloads as label, url and title.

    Args:
        app: the running Sphinx.
        page: name of the page.
        context: what the page's template is given.
    """
    pathto = context["pathto"]
    found = []
    if page in app.env.found_docs:
        source = Path(app.env.doc2path(page))
        if is_notebook(source):
            found.append((".ipynb", f"_sources/{page}.ipynb", "this page"))
        found.append((".md", f"_sources/{page}.md", "this page"))
    found.append(("PDF", PDF, "the whole book"))
    return [
        {
            "label": label,
            "url": pathto(target, 1),
            "title": f"Download {what} as {label}",
        }
        for label, target, what in found
    ]


def _add_context(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    context["book_downloads"] = downloads(app, pagename, context)
    for kind in ("script_files", "css_files"):
        context[kind] = _own_assets(context.get(kind, []))
    if pagename == app.config.root_doc and context.get("next"):
        context["book_first"] = _first_chapter(app, pagename)
        head, mark, rest = context["body"].partition("</h1>")
        templates = app.builder.templates
        actions = templates.render("cover-actions.html", context)
        opening, end, more = rest.partition("</p>")
        context["body"] = head + mark + opening + end + actions + more


def _first_chapter(app: Sphinx, root: str) -> str:
    """Return the first page in a folder, which a part of the book is."""
    pages = app.env.toctree_includes.get(root, [])
    chapters = [page for page in pages if "/" in page]
    return (chapters or pages)[0]


def _own_assets(assets: list[Any]) -> list[Any]:
    """Drop Thebe, which would call a CDN, and scripts that come twice."""
    kept: list[Any] = []
    seen: set[str] = set()
    for asset in assets:
        name = str(getattr(asset, "filename", asset) or "")
        body = str(getattr(asset, "attributes", {}).get("body", ""))
        key = name + body
        if "thebe" in key.lower() or key in seen:
            continue
        seen.add(key)
        kept.append(asset)
    return kept


def _check_images(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Ask each image for alt text, and size the figures that we drew."""
    if app.builder.format != "html":
        return
    for image in doctree.findall(nodes.image):
        if not str(image.get("alt", "")).strip():
            _LOG.warning(
                "the image %s has no alt text; say in one sentence what it "
                "shows (:alt:, or image: alt: in the cell's mystnb metadata)",
                image["uri"],
                location=image,
                type="book",
                subtype="alt",
            )
        path = Path(app.srcdir, image["uri"])
        if path.suffix == ".svg" and "width" not in image and path.is_file():
            drawn = _WIDTH.search(path.read_text("utf-8")[:4000])
            if drawn:
                pixels = float(drawn[1]) * 4 / 3 * _SCALE
                image["width"] = str(round(pixels))
                image["classes"].append("book-drawing")


def _drop_thebe(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Remove the scripts that Thebe appends to the text of each page."""
    for raw in list(doctree.findall(nodes.raw)):
        text = raw.astext()
        if "x-thebe-config" in text or "kernelName = " in text:
            raw.parent.remove(raw)


def _copy_fonts(app: Sphinx) -> None:
    """Give the pages the same font files that the figures and PDF use."""
    if app.builder.format == "html":
        fonts = files("scratchlm.book") / "fonts"
        copy_asset(str(fonts), str(Path(app.outdir, "_static", "fonts")))


def _keep_backend() -> None:
    """Let pybtex remember the backend that each citation asks it for.

    It searches all installed packages every time, a tenth of Sphinx's run.
    """
    backend = find_plugin("pybtex.backends", "plaintext")
    register_plugin("pybtex.backends", "plaintext", backend, force=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the design to Sphinx.

    Args:
        app: the Sphinx that loads the extension.
    """
    _keep_backend()
    app.connect("builder-inited", _copy_fonts)
    app.connect("doctree-resolved", _check_images)
    # After the theme and the other extensions have added their scripts.
    app.connect("doctree-resolved", _drop_thebe, priority=900)
    app.connect("html-page-context", _add_context, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
