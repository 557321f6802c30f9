"""Execute the chapters into the cache that every output reads."""

from __future__ import annotations

import hashlib
import platform
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
from scratchlm.foundation.parallel import n_workers

AT_ONCE = 4  # chapters side by side; measured: up to 1.3 GB each
KEYS_KEPT = 2  # the current state, and the one before a detour
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


def source_key(root: Path) -> str:
    """Hash everything besides its own cells that a chapter depends on.

    Args:
        root: folder of the checkout.

    Returns:
        16 hexadecimal digits over the package, the recorded results, the
        lock file and the Python version.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    folders = [root / "lib" / "scratchlm", root / "book" / "results"]
    files = [path for folder in folders for path in source_files(folder)]
    for path in [*files, root / "requirements.lock"]:
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def source_files(folder: Path) -> Iterator[Path]:
    """Yield the files under a folder in a fixed order, byte code aside.

    Args:
        folder: where to look; need not exist.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def keyed_cache(root: Path, cache_root: Path) -> Path:
    """Return the cache folder of the current sources, and drop old ones.

    Args:
        root: folder of the checkout.
        cache_root: parent of the keyed folders; made if absent.
    """
    folder = cache_root / source_key(root)
    folder.mkdir(parents=True, exist_ok=True)
    folder.touch()
    newest = sorted(
        (path for path in cache_root.iterdir() if path.is_dir()),
        key=lambda path: (path == folder, path.stat().st_mtime_ns),
        reverse=True,
    )
    for stale in newest[KEYS_KEPT:]:
        shutil.rmtree(stale)
    return folder


def execute_book(root: Path, cache_root: Path) -> list[Execution]:
    """Run every chapter that the cache does not hold, one on each core.

    The pages of the book compute in one thread, so that neighbours do not
    wait for each other.

    Args:
        root: folder of the checkout.
        cache_root: parent of the keyed cache folders.

    Returns:
        One entry for each page with code cells, in reading order.

    Raises:
        ChapterError: a cell failed; nothing of its chapter is cached, and
            the chapters that ran beside it are ended.
    """
    config = sphinx_config(root)
    parser = parser_config(config)
    timeout = int(config["nb_execution_timeout"])
    cache = get_cache(keyed_cache(root, cache_root))
    pages = filter(is_notebook, book_pages(root))
    notebooks = {page: read_notebook(page, parser) for page in pages}
    took, fresh = {}, {}
    for page, notebook in notebooks.items():
        if (seconds := cached_seconds(cache, notebook)) is None:
            fresh[page] = notebook
        else:
            took[page] = seconds
    with _side_by_side(fresh, timeout, cache_root.parent) as running:
        for future in as_completed(running):
            page = running[future]
            took[page] = future.result()
            _store(cache, page, fresh[page], took[page])
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


def cached_seconds(cache: Any, notebook: Any) -> float | None:
    """Return how long the cached run took, or None where there is none.

    A run that was interrupted while it wrote leaves a record without a
    whole file behind it. That record is dropped, so that it is a miss.

    Args:
        cache: a jupyter-cache.
        notebook: an unexecuted notebook.
    """
    try:
        record = cache.match_cache_notebook(notebook)
    except KeyError:
        return None
    try:
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


def _store(cache: Any, page: Page, notebook: Any, seconds: float) -> None:
    cache.cache_notebook_bundle(
        CacheBundleIn(
            notebook, str(page.path), data={"execution_seconds": seconds}
        ),
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
