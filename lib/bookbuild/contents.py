"""The pages of the book, in reading order, as notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from jupyter_book.config import (
    get_final_config,
)
from myst_nb.core.read import (
    is_myst_markdown_notebook,
    read_myst_markdown_notebook,
)
from myst_parser.config.main import MdParserConfig

# A cell that checks what the prose claims; only the build runs it.
GUARD = "guard"
# Tags of cells whose code a reader does not need to see.
SOURCE_HIDDEN = frozenset(
    {GUARD, "hide-input", "remove-input", "hide-cell", "remove-cell"}
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One file of the table of contents.

    Args:
        name: path under ``book/`` without its suffix, ``text/tokenizer``.
        path: the file.
        chapter: its number, or None for front and back matter.
    """

    name: str
    path: Path
    chapter: int | None


def book_pages(root: Path) -> list[Page]:
    """List the pages of ``_toc.yml`` in reading order.

    Args:
        root: folder of the checkout.

    Raises:
        ValueError: a page of the table of contents has no file.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text("utf8"))
    pages = [_page(root, toc["root"], None)]
    chapter = 0
    for part in toc.get("parts", [{"chapters": toc.get("chapters", [])}]):
        for entry in part.get("chapters", []):
            numbered = bool(part.get("numbered"))
            chapter += numbered
            number = chapter if numbered else None
            pages += [_page(root, name, number) for name in _files(entry)]
    return pages


def _files(entry: dict[str, Any]) -> Iterator[str]:
    yield entry["file"]
    for section in entry.get("sections", []):
        yield from _files(section)


def _page(root: Path, name: str, chapter: int | None) -> Page:
    path = root / "book" / f"{name}.md"
    if not path.is_file():
        raise ValueError(
            f"_toc.yml lists {name!r}, but {path} does not exist; "
            "write the page or take it off the list"
        )
    return Page(name=name, path=path, chapter=chapter)


def sphinx_config(root: Path) -> dict[str, Any]:
    """Return the Sphinx configuration that ``_config.yml`` stands for.

    Args:
        root: folder of the checkout.
    """
    final, _ = get_final_config(
        user_yaml=root / "_config.yml",
        sourcedir=root / "book",
        cli_config={
            "external_toc_path": str(root / "_toc.yml"),
            "latex_individualpages": False,
        },
    )
    return dict(final)


def parser_config(config: dict[str, Any]) -> MdParserConfig:
    """Return the MyST parser settings that Sphinx would use.

    Args:
        config: what :func:`sphinx_config` returned.
    """
    known = {name for name, _, _ in MdParserConfig().as_triple()}
    values = {
        key.removeprefix("myst_"): value
        for key, value in config.items()
        if key.removeprefix("myst_") in known
    }
    return MdParserConfig(**values)


def is_notebook(page: Page) -> bool:
    """Tell whether the page has the header of a MyST notebook."""
    return bool(is_myst_markdown_notebook(page.path.read_text("utf8")))


def read_notebook(page: Page, parser: MdParserConfig) -> Any:
    """Read a page as an unexecuted notebook, exactly as Sphinx does.

    The cache finds a notebook by a hash over what this returns, so any
    other reader would make Sphinx execute the page again.

    Args:
        page: a page with a notebook header.
        parser: what :func:`parser_config` returned.
    """
    text = page.path.read_text("utf8")
    notebook = read_myst_markdown_notebook(
        text, config=parser, add_source_map=True, path=str(page.path)
    )
    assert isinstance(notebook, nbformat.NotebookNode)
    return notebook


def code_cells(notebook: Any) -> list[Any]:
    """Return the code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
