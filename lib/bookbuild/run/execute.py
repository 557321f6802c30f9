"""Execute the chapters into the cache that every output reads."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from tqdm import tqdm

from bookbuild.contents import (
    Page,
    book_pages,
    code_cells,
    is_notebook,
    parser_config,
    read_notebook,
    sphinx_config,
)
from bookbuild.leash import lifeline
from bookbuild.run.kernels import KernelSettings, fresh_home, run_notebook
from bookbuild.run.keys import PageKeys
from scratchlm.foundation.parallel import n_workers

AT_ONCE = 4  # chapters side by side; measured: up to 1.3 GB each
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What became of one chapter.

    Args:
        page: name of the page, ``text/tokenizer``.
        seconds: how long its cells took when they ran.
        status: whether they ran now or came from the cache.
    """

    page: str
    seconds: float
    status: Literal["executed", "cached"]


class ChapterError(Exception):
    """A chapter that does not run; the message names page and cell."""


def execute_book(root: Path, cache_folder: Path) -> list[Execution]:
    """Run every chapter that the cache does not hold, one on each core.

    The pages of the book compute in one thread, so that neighbours do not
    wait for each other.

    A page runs again when its cells change, or what they use: see
    :class:`~bookbuild.run.keys.PageKeys`.

    Args:
        root: folder of the checkout.
        cache_folder: of the jupyter-cache that Sphinx reads; made if absent.

    Returns:
        One entry for each page with code cells, in reading order.

    Raises:
        ChapterError: a cell failed; nothing of its chapter is cached, and
            the chapters that ran beside it are ended.
    """
    config = sphinx_config(root)
    parser = parser_config(config)
    timeout = int(config["nb_execution_timeout"])
    cache = get_cache(cache_folder)
    pages = filter(is_notebook, book_pages(root))
    notebooks = {page: read_notebook(page, parser) for page in pages}
    keys = PageKeys(root)
    key_of = {page: keys.key(nb) for page, nb in notebooks.items()}
    took, fresh = {}, {}
    for page, notebook in notebooks.items():
        seconds = cached_seconds(cache, notebook, key_of[page])
        if seconds is None:
            fresh[page] = notebook
        else:
            took[page] = seconds
    with _side_by_side(fresh, timeout, cache_folder.parent) as running:
        for future in as_completed(running):
            page = running[future]
            took[page] = future.result()
            facts = {"execution_seconds": took[page], "key": key_of[page]}
            _store(cache, page, fresh[page], facts)
    return [
        Execution(
            page=page.name,
            seconds=took[page],
            status="executed" if page in fresh else "cached",
        )
        for page, notebook in notebooks.items()
        if code_cells(notebook)
    ]


@contextmanager
def _side_by_side(
    notebooks: Mapping[Page, Any], timeout: int, home: Path
) -> Iterator[dict[Future[float], Page]]:
    """Run notebooks in threads; an error in the block ends all of them.

    It ends the lifeline, that the kernels, and those the threads. What has
    not begun is called off before, or it would take the place.
    """
    if not notebooks:
        yield {}
        return
    total = sum(len(code_cells(notebook)) for notebook in notebooks.values())
    one_step = Lock()
    with (
        fresh_home(home) as env,
        tqdm(total=total, desc="chapters", unit="cell") as bar,
        ThreadPoolExecutor(min(n_workers(None), AT_ONCE)) as pool,
        lifeline() as end,
    ):

        def step(page: Page) -> None:
            with one_step:
                bar.set_postfix_str(page.name, refresh=False)
                bar.update()

        settings = KernelSettings(timeout=timeout, env=env, end=end)
        try:
            yield {
                pool.submit(_execute, page, notebook, settings, step): page
                for page, notebook in notebooks.items()
            }
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def cached_seconds(cache: Any, notebook: Any, key: str) -> float | None:
    """Return how long the cached run took, or None where there is none.

    A run of other sources is dropped, so that Sphinx never shows it. So is
    one that was interrupted while it wrote, which leaves a record without a
    whole file behind it.

    Args:
        cache: a jupyter-cache.
        notebook: an unexecuted notebook.
        key: of what its cells use, as they are now.
    """
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return None
    try:
        if record.data.get("key") != key:
            raise ValueError("what the cells use has changed")
        cache.merge_match_into_notebook(notebook)
    except (KeyError, ValueError):
        left = cache.path / "executed" / record.hashkey
        shutil.rmtree(left, ignore_errors=True)
        NbCacheRecord.remove_records([record.pk], cache.db)
        return None
    return float(record.data["execution_seconds"])


def _execute(
    page: Page,
    notebook: Any,
    settings: KernelSettings,
    step: Callable[[Page], None],
) -> float:
    if not code_cells(notebook):  # Sphinx wants a record even where none runs
        return 0.0
    started = time.perf_counter()
    begun = [0]

    def begin(cell: int) -> None:
        begun.append(cell)
        step(page)

    try:
        run_notebook(notebook, page.path.parent, settings, begin)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as err:
        message = _report(page, notebook, begun[-1], _reason(err))
        raise ChapterError(message) from err
    _refuse_stderr(page, notebook)
    return time.perf_counter() - started


def _store(
    cache: Any, page: Page, notebook: Any, facts: Mapping[str, Any]
) -> None:
    cache.cache_notebook_bundle(
        CacheBundleIn(notebook, str(page.path), data=dict(facts)),
        check_validity=False,
        overwrite=True,
    )


def _reason(error: Exception) -> str:
    if not isinstance(error, CellExecutionError):
        return str(error)
    traceback = ANSI.sub("", error.traceback).strip()
    # nbclient repeats the cell above the traceback; we number it.
    return traceback.split("------------------\n")[-1].strip()


def _report(page: Page, notebook: Any, index: int, reason: str) -> str:
    line = notebook.metadata["source_map"][index]
    source = notebook.cells[index].source.splitlines()
    listing = "\n".join(f"  {n:3} | {s}" for n, s in enumerate(source, 1))
    where = f"book/{page.name}.md, cell at line {line}"
    return f"{where}, does not run:\n\n{listing}\n\n{reason}"


def _refuse_stderr(page: Page, notebook: Any) -> None:
    """Treat a warning like an error, as Sphinx would a minute later."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if "remove-stderr" in cell.metadata.get("tags", []):
            continue
        for output in cell.outputs:
            if output.get("name") == "stderr":
                reason = (
                    f"It wrote to stderr:\n\n{output.text.strip()}\n\n"
                    "Mend what it warns of, or give a cell whose warning "
                    "says nothing to the reader the tag remove-stderr."
                )
                raise ChapterError(_report(page, notebook, index, reason))
