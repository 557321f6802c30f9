"""Chapters in JupyterLab: what serves the book alone is out of the way.

A page holds cells that its reader does not need: they set the figures' style,
put numbers into the prose, and guard the prose's claims. The last would stop
a reader who changes a cell above them, so they do not run here.
"""

from copy import deepcopy
from typing import Any

from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
)
from jupytext.async_contentsmanager import (
    build_async_jupytext_contents_manager_class,
)

from bookbuild.contents import GUARD, SOURCE_HIDDEN

_Jupytext: Any = build_async_jupytext_contents_manager_class(
    AsyncLargeFileManager
)


class BookContents(_Jupytext):  # type: ignore[misc]
    """Jupytext's files, with the book's own cells collapsed.

    A saved page holds them as before.
    """

    async def get(self, path: str, *args: Any, **kwargs: Any) -> Any:
        """Return a file's model; of a notebook, for people."""
        model = await super().get(path, *args, **kwargs)
        if model["type"] == "notebook" and model["content"]:
            model["content"] = collapsed(model["content"])
        return model

    async def save(self, model: Any, path: str = "") -> Any:
        """Write a file; of a notebook, with the cells as they were."""
        if model["type"] == "notebook" and model.get("content"):
            model = model | {"content": restored(model["content"])}
        return await super().save(model, path)


def collapsed(notebook: Any) -> Any:
    """Return a notebook whose guards do not run, the book's cells closed.

    Args:
        notebook: as a page holds it.
    """
    notebook = deepcopy(notebook)
    for cell in notebook["cells"]:
        tags = set(cell["metadata"].get("tags", ()))
        if cell["cell_type"] != "code" or not tags & SOURCE_HIDDEN:
            continue
        cell["metadata"]["jupyter"] = {"source_hidden": True}
        if GUARD in tags:
            cell["cell_type"] = "raw"
            for part in ("outputs", "execution_count"):
                cell.pop(part, None)
    return notebook


def restored(notebook: Any) -> Any:
    """Return the notebook that :func:`collapsed` was given.

    Args:
        notebook: what a reader saves.
    """
    notebook = deepcopy(notebook)
    for cell in notebook["cells"]:
        tags = set(cell["metadata"].get("tags", ()))
        if not tags & SOURCE_HIDDEN:
            continue
        cell["metadata"].pop("jupyter", None)
        if cell["cell_type"] == "raw" and GUARD in tags:
            cell |= {"cell_type": "code", "outputs": []}
            cell["execution_count"] = None
    return notebook
