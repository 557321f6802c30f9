"""The exported notebooks: whole, plain, and the same every time."""

import subprocess
import sys

import nbformat
import pytest

from bookbuild.notebook import export
from bookbuild.notebook.export import export_book
from bookbuild.run.execute import execute_book


def export_tiny(book):
    execute_book(book.root, book.cache_root)
    cache = book.cache_root
    out = book.root / "_build/notebooks"
    return export_book(book.root, cache, out)


def test_a_chapter_becomes_a_notebook_that_stands_alone(executed_book):
    """Numbers, names, outputs and sources must all be in the file."""
    first, second = export_tiny(executed_book)
    assert first == executed_book.root / "_build/notebooks/text/one.ipynb"
    notebook = nbformat.read(first, as_version=4)
    sources = [cell.source for cell in notebook.cells]
    assert sources[0] == "# One\n\nCited (Knuth, 1973)."
    assert sources[1] == "total = 1 + 1\nprint(total)"
    assert notebook.cells[1].outputs[0].text == "2\n"
    assert notebook.cells[1].metadata.tags == ["nbval-check-output"]
    assert sources[3] == "The total is 2.5; Two follows."
    assert sources[4].startswith("## References\n\n- Donald Knuth")
    assert "source_map" not in notebook.metadata
    assert "jupytext" not in notebook.metadata
    assert nbformat.read(second, as_version=4).cells[-1].cell_type == "code"


def test_a_second_export_is_identical_byte_for_byte(executed_book):
    """Random cell ids made each build differ from the last."""
    before = [path.read_bytes() for path in export_tiny(executed_book)]
    assert [path.read_bytes() for path in export_tiny(executed_book)] == before


def test_nbval_passes_and_catches_a_changed_output(executed_book):
    """`make test` relies on nbval, run from any folder."""
    first, _ = export_tiny(executed_book)
    changed = first.with_name("changed.ipynb")
    changed.write_text(first.read_text().replace('"2\\n"', '"3\\n"'))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--nbval-lax", "--nbval-current-env", "-rfp"]
    ran = subprocess.run(
        [*command, str(first), str(changed)],
        cwd=executed_book.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    said = ran.stdout.splitlines()
    failed = [line for line in said if line.startswith("FAILED")]
    assert len(failed) == 1
    assert "changed.ipynb::Cell 0" in failed[0]
    assert sum(line.startswith("PASSED") for line in said) == 3


@pytest.fixture
def exporter(tiny_book):
    return export.Exporter(tiny_book.root)


def exported(exporter, *cells):
    page = exporter.exported()[0]
    executed = nbformat.v4.new_notebook(cells=list(cells))
    return exporter.export(page, executed).cells


def code(*outputs, **metadata):
    return nbformat.v4.new_code_cell(
        "x", outputs=list(outputs), metadata=metadata
    )


def picture(name="", **data):
    prefix = export.GLUE if name else ""
    data = {"image/svg+xml": "<svg/>", "application/pdf": "JVBERg=="} | data
    return nbformat.v4.new_output(
        "display_data",
        data={prefix + key: value for key, value in data.items()},
        metadata={"scrapbook": {"name": name}} if name else {},
    )


def test_a_glued_picture_is_shown_in_the_cell_that_drew_it(exporter):
    """Jupyter does not know the place where the page puts it."""
    (cell,) = exported(exporter, code(picture("fig"), tags=["remove-output"]))
    assert cell.outputs[0].data == {"image/svg+xml": "<svg/>"}
    assert "jupyter" not in cell.metadata


def test_a_picture_that_is_drawn_anyway_is_not_shown_twice(exporter):
    """The inline backend shows each open figure at the end of a cell."""
    (cell,) = exported(exporter, code(picture("fig"), picture()))
    assert len(cell.outputs) == 1
    assert cell.outputs[0].data == {"image/svg+xml": "<svg/>"}


@pytest.mark.parametrize(
    ("tag", "hidden"),
    [
        ("hide-input", {"source_hidden": True}),
        ("remove-output", {"outputs_hidden": True}),
        ("remove-cell", {"source_hidden": True, "outputs_hidden": True}),
        ("nbval-check-output", None),
    ],
)
def test_what_the_page_hides_is_folded(exporter, tag, hidden):
    """A removed cell still has to run in the notebook."""
    (cell,) = exported(exporter, code(tags=[tag]))
    assert cell.metadata.get("jupyter") == hidden
    assert cell.metadata.tags == [tag]


def test_a_captioned_cell_is_followed_by_its_caption(tiny_book):
    """The caption lives in the cell's metadata, which Jupyter hides."""
    figure = "mystnb:\n  figure:\n    name: fig-x\n    caption: It {eq}`e`."
    tiny_book.chapter(
        "text/two",
        f"# T\n\n$$\nx\n$$ (e)\n\n```{{code-cell}} python\n---\n{figure}\n"
        "---\n1\n```\n",
    )
    exporter = export.Exporter(tiny_book.root)
    page = exporter.exported()[1]
    cells = exporter.export(page, exporter.notebooks["text/two"]).cells
    assert cells[-1].source == "**Figure 2.1.** *It (2.1).*"


def test_code_of_a_solution_is_folded(exporter, tiny_book):
    """Code cells between the gates belong to the solution."""
    v4 = nbformat.v4
    ex = "```{exercise}\n:label: ex\nDo.\n```\n\n```{solution-start} ex\n```"
    end = v4.new_markdown_cell("```{solution-end}\n```")
    tiny_book.chapter("text/two", f"# T\n\n{ex}\n\n```{{solution-end}}\n```\n")
    exporter = export.Exporter(tiny_book.root)
    cells = exported(exporter, v4.new_markdown_cell(ex), code(), end, code())
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "code"]
    folded = {"source_hidden": True, "outputs_hidden": True}
    assert cells[1].metadata["jupyter"] == folded
    assert "jupyter" not in cells[2].metadata


def test_a_raw_cell_stays_as_it_is(exporter):
    """Only text cells are translated."""
    (cell,) = exported(exporter, nbformat.v4.new_raw_cell("{raw}"))
    assert cell.source == "{raw}"
