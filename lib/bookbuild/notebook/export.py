"""Write the chapters as notebooks that need nothing but Jupyter."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache

from bookbuild.contents import (
    GUARD,
    SOURCE_HIDDEN,
    Page,
    book_pages,
    is_notebook,
    parser_config,
    read_notebook,
    sphinx_config,
)
from bookbuild.notebook.citations import Citations
from bookbuild.notebook.directives import caption
from bookbuild.notebook.inline import Context
from bookbuild.notebook.labels import Label, PageLabels
from bookbuild.notebook.plain import PlainMarkdown
from scratchlm.foundation.durable import write_whole

NB: Any = nbformat  # typed only in part
V4: Any = nbformat.v4
GLUE = "application/papermill.record/"
OUTPUTS_HIDDEN = {"hide-output", "remove-output", "hide-cell", "remove-cell"}
TITLE = re.compile(r"^#\s+(?P<title>.+)$", re.M)


class Exporter:
    """Everything that the export of one page may need of the others.

    Args:
        root: folder of the checkout.
    """

    def __init__(self, root: Path):
        self.root = root
        config = sphinx_config(root)
        self.parser = parser_config(config)
        self.bibliography = root / "book" / config["bibtex_bibfiles"][0]
        self.pages = book_pages(root)
        self.notebooks = {
            page.name: read_notebook(page, self.parser) for page in self.pages
        }
        self.labels: dict[str, Label] = {}
        self.titles: dict[str, str] = {}
        for page in self.pages:
            notebook = self.notebooks[page.name]
            self.labels |= PageLabels(page, self.parser).read(notebook)
            title = TITLE.search(page.path.read_text("utf8"))
            self.titles[page.name] = title["title"] if title else page.name

    def exported(self) -> list[Page]:
        """Return the pages that become notebooks, in reading order."""
        return [page for page in self.pages if is_notebook(page)]

    def export(self, page: Page, executed: Any) -> Any:
        """Return one page as a notebook for people.

        Args:
            page: the page.
            executed: its notebook with outputs.

        Raises:
            ValueError: the page has syntax that cannot be translated.
        """
        context = Context(
            page=page,
            glued=glued_outputs(executed),
            labels=self.labels,
            titles=self.titles,
            notebooks=frozenset(each.name for each in self.exported()),
            citations=Citations(self.bibliography),
        )
        writer = PlainMarkdown(context, self.parser)
        cells = []
        for cell in copy.deepcopy(executed.cells):
            if cell.cell_type == "markdown":
                if text := writer.cell(cell.source):
                    cells.append(V4.new_markdown_cell(text))
            elif GUARD in cell.metadata.get("tags", []):
                continue  # it would stop a reader who changes a cell
            elif cell.cell_type == "code":
                cells += _code_cells(cell, writer)
            else:
                cells.append(cell)
        if references := context.citations.references():
            text = "\n".join(["## References", "", *references])
            cells.append(V4.new_markdown_cell(text))
        return _notebook(page, cells, executed.metadata)


def export_book(root: Path, cache_folder: Path, out: Path) -> list[Path]:
    """Write each chapter, with the outputs of the cache, as a notebook.

    Args:
        root: folder of the checkout.
        cache_folder: the cache that ``execute_book`` filled.
        out: where the notebooks go, by part; made if absent.

    Returns:
        The files, in reading order.

    Raises:
        KeyError: the cache does not hold a chapter.
        ValueError: a page has syntax that cannot be translated.
    """
    exporter = Exporter(root)
    cache = get_cache(cache_folder)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for page in exporter.exported():
        notebook = exporter.notebooks[page.name]
        _, executed = cache.merge_match_into_notebook(notebook)
        text = NB.writes(exporter.export(page, executed)) + "\n"
        path = out / f"{page.name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
        written.append(path)
    return written


def glued_outputs(notebook: Any) -> dict[str, Any]:
    """Return the output behind each glued name, as myst-nb stores it.

    Args:
        notebook: an executed notebook.
    """
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = _glue_name(output)
            if name:
                plain = copy.deepcopy(output)
                plain.data = _without_prefix(output.data)
                found[name] = plain
    return found


def _glue_name(output: Any) -> str:
    return str(output.get("metadata", {}).get("scrapbook", {}).get("name", ""))


def _without_prefix(data: Any) -> Any:
    return NB.from_dict(
        {key.removeprefix(GLUE): value for key, value in data.items()}
    )


def _is_picture(output: Any) -> bool:
    data = _without_prefix(output.get("data", {}))
    return any(key.startswith("image/") for key in data)


def _code_cells(cell: Any, writer: PlainMarkdown) -> list[Any]:
    """Return a code cell, and its caption where the page gives it one."""
    tags = set(cell.metadata.get("tags", []))
    cell.outputs = list(_shown_outputs(cell.outputs))
    has_picture = any(map(_is_picture, cell.outputs))
    hidden = {}
    if tags & SOURCE_HIDDEN or writer.context.in_solution:
        hidden["source_hidden"] = True
    if writer.context.in_solution or (
        tags & OUTPUTS_HIDDEN and not has_picture
    ):
        hidden["outputs_hidden"] = True
    if hidden:
        cell.metadata["jupyter"] = hidden
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if "caption" not in figure:
        return [cell]
    text = caption(
        figure.get("name", ""), writer.cell(figure["caption"]), writer
    )
    return [cell, V4.new_markdown_cell(text)]


def _shown_outputs(outputs: Iterable[Any]) -> Iterable[Any]:
    """Show glued pictures in the cell that drew them.

    A page places them elsewhere; Jupyter knows no such place. Formats
    for print stay behind.
    """
    outputs = list(outputs)
    drawn = any(_is_picture(o) and not _glue_name(o) for o in outputs)
    for output in outputs:
        if _is_picture(output):
            if _glue_name(output):
                if drawn:
                    continue
                output.data = _without_prefix(output.data)
            output.data.pop("application/pdf", None)
        yield output


def _notebook(page: Page, cells: list[Any], metadata: Any) -> Any:
    """Assemble a notebook whose bytes depend on its contents alone."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", page.name)[-48:]
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"{stem}-{number:03}"
    kept = {
        key: metadata[key]
        for key in ("kernelspec", "language_info")
        if key in metadata
    }
    notebook = V4.new_notebook(cells=cells, metadata=kept)
    NB.validate(notebook)
    return notebook
