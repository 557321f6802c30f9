"""The kernel that runs a chapter: this Python, and nothing of the user's.

Chapter: book/setup.md.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from scratchlm.book.leash import LEASH, leashed, lifeline

# What a user may have set for other work, and what would show on the pages.
FOREIGN = ("MATPLOTLIBRC", "MPLBACKEND", "PYTHONSTARTUP")


class _Specs(KernelSpecManager):
    """Offer one kernel: the Python that runs this build, on a leash.

    A kernelspec called python3 in the user's home would otherwise decide
    which packages the book sees.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        arguments = get_kernel_dict()
        python = [*LEASH, sys.executable]
        arguments["argv"] = python + arguments["argv"][1:]
        return KernelSpec(resource_dir="", **arguments)


class _Kernel(AsyncKernelManager):
    def __init__(self, **settings: Any) -> None:
        settings["kernel_spec_manager"] = _Specs()
        settings["transport_encryption"] = "auto"
        super().__init__(**settings)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of what the build starts.

    Chapter: book/setup.md.

    Matplotlib and IPython keep settings and caches in the user's home, where
    a font list that names deleted files once stopped the build. Where there
    is a GPU, jax writes a warning unless it is told to stay on the CPU.

    Args:
        home: folder for what they keep; made as needed.
    """
    kept = {k: v for k, v in os.environ.items() if k not in FOREIGN}
    return kept | {
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "IPYTHONDIR": str(home / "ipython"),
        "JAX_PLATFORMS": "cpu",
    }


@contextmanager
def fresh_home(parent: Path) -> Iterator[dict[str, str]]:
    """Make a home for the kernels of one build, its font list in it.

    Chapter: book/setup.md.

    The list takes a second. A kernel that had to make it could take more
    than five on a busy machine, and matplotlib would then write a warning
    into the page; two kernels at once would make it twice.

    Args:
        parent: folder that the home is made in, for as long as the block.

    Returns:
        The environment that makes it a home.
    """
    with tempfile.TemporaryDirectory(dir=parent, prefix=".new-") as home:
        settings = environment(Path(home))
        # Where this fails, the first page with a figure says why.
        list_fonts = [sys.executable, "-c", "import matplotlib.font_manager"]
        with leashed(
            list_fonts,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=settings,
        ):
            pass
        yield settings


def run_notebook(
    notebook: Any,
    folder: Path,
    *,
    timeout: int,
    env: Mapping[str, str],
    each_cell: Callable[[], object],
) -> None:
    """Execute a notebook in place, in a kernel of its own.

    Chapter: book/setup.md.

    Args:
        notebook: its outputs are filled in.
        folder: where its cells run.
        timeout: seconds that one cell may take.
        env: environment of the kernel.
        each_cell: called after each cell.

    Raises:
        CellExecutionError: a cell raised.
        CellTimeoutError: a cell took too long.
        DeadKernelError: a cell ended the kernel.
    """
    client = NotebookClient(
        notebook,
        timeout=timeout,
        record_timing=False,
        kernel_manager_class=_Kernel,
        resources={"metadata": {"path": str(folder)}},
        on_cell_executed=lambda **_: each_cell(),
    )
    # In the main thread nbclient takes the signals over, and an interrupt
    # would pass for a kernel that died. Here it ends this block, the block
    # ends the lifeline, that the kernel, and that the thread.
    with ThreadPoolExecutor(1) as pool, lifeline() as end:
        pool.submit(client.execute, stdin=end, env=dict(env)).result()
