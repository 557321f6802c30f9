"""Links from the reference back to the chapters.

A public docstring names the chapter that derives it in a line of its own,
``Chapter: book/<part>/<chapter>.md.``; on the page that line is a link.
"""

import re

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

CHAPTER = re.compile(r"Chapter: book/([\w/-]+)\.md\.?")


def link_chapter(docstring: str) -> str:
    """Make each line that names a chapter a link to it.

    Chapter: book/reference.md.

    Args:
        docstring: reStructuredText, or one line of it.
    """
    return CHAPTER.sub(r"*Chapter:* :doc:`/\1`.", docstring)


def _process(  # noqa: PLR0913, PLR0917
    app: Sphinx,
    what: str,
    name: str,
    entity: object,
    options: object,
    lines: list[str],
) -> None:
    lines[:] = [link_chapter(line) for line in lines]
    if what in ("attribute", "data", "property"):
        # Napoleon takes what stands before a colon in the first line for a
        # type. An empty comment is a first line without one.
        lines[:0] = ["..", ""]


def _skip(  # noqa: PLR0913, PLR0917
    app: Sphinx,
    what: str,
    name: str,
    entity: object,
    skip: bool,
    options: object,
) -> bool | None:
    """Leave out the fields of a named tuple, which its class tells of."""
    said = str(getattr(entity, "__doc__", ""))
    return True if said.startswith("Alias for field number") else None


def _sign(  # noqa: PLR0913, PLR0917
    app: Sphinx,
    what: str,
    name: str,
    entity: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Write a default that is made anew each time as stubs do.

    Sphinx cannot parse <factory>, and shows such a signature without links.
    """
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect to autodoc. Chapter: book/reference.md."""
    # Before napoleon reads the docstring.
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
