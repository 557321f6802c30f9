"""A reader in JupyterLab meets no guard, and saving a page loses nothing."""

import asyncio
from pathlib import Path

import jupytext
import pytest

from bookbuild.contents import GUARD
from bookbuild.run.lab import BookContents, collapsed, restored

BOOK = Path(__file__).parents[3] / "book"
PAGE = """\
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

# One

```{code-cell} ipython3
:tags: [guard, remove-cell]

assert ratio > 3
```

```{code-cell} ipython3
:tags: [remove-cell]

glue(ratio=ratio)
```

```{code-cell} ipython3
ratio = 4
```
"""


@pytest.fixture
def contents(tmp_path):
    (tmp_path / "one.md").write_text(PAGE)
    return BookContents(root_dir=str(tmp_path))


def test_guards_do_not_run_and_the_books_cells_are_closed(contents):
    """A hidden assert stopped whoever had changed the cell above it."""
    model = asyncio.run(contents.get("one.md", type="notebook"))
    _, guard, glued, shown = model["content"]["cells"]
    assert guard["cell_type"] == "raw"
    assert glued["cell_type"] == shown["cell_type"] == "code"
    hidden = [
        cell["metadata"].get("jupyter", {}).get("source_hidden", False)
        for cell in (guard, glued, shown)
    ]
    assert hidden == [True, True, False]


def test_a_saved_page_holds_them_as_before(contents, tmp_path):
    """The next build would have no guard left."""
    model = asyncio.run(contents.get("one.md", type="notebook"))
    model["content"]["cells"][-1]["source"] = "ratio = 5"
    asyncio.run(contents.save(model, "one.md"))
    saved = (tmp_path / "one.md").read_text()
    assert "ratio = 5" in saved
    assert ":tags: [guard, remove-cell]\n\nassert ratio > 3" in saved
    assert "jupyter" not in saved.replace("jupytext", "")


def test_other_files_are_left_alone(contents):
    """A folder has no cells, and neither has a text file."""
    assert asyncio.run(contents.get(""))["type"] == "directory"
    model = asyncio.run(contents.get("one.md", type="file"))
    assert model["content"] == PAGE
    asyncio.run(contents.save(model | {"content": "# Two\n"}, "two.md"))
    assert asyncio.run(contents.get("two.md", type="file"))["content"] == (
        "# Two\n"
    )


@pytest.mark.parametrize(
    "path", sorted(BOOK.glob("*/*.md")), ids=lambda path: path.stem
)
def test_each_page_survives(path):
    """Whatever tags and metadata its cells have."""
    notebook = jupytext.read(path)
    shown = collapsed(notebook)
    assert restored(shown) == notebook
    guards = [
        cell for cell in shown.cells if GUARD in cell.metadata.get("tags", ())
    ]
    assert {cell.cell_type for cell in guards} <= {"raw"}
