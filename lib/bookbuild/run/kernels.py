"""The kernel that runs a chapter: this Python, and nothing of the user's.

``python -m bookbuild.run.kernels PROGRAM ARGUMENT...`` runs a program in the
environment of the kernels, so that tests see what the build saw.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from bookbuild.leash import LEASH, leashed

# Its output past Python goes another way; see bookbuild.run.descriptors.
OPTIONS = (
    "--IPKernelApp.capture_fd_output=False",
    "--ext=bookbuild.run.descriptors",
)
LAST_WORDS = 8_000  # characters of a kernel that died; a stack is in them
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
        arguments["argv"] = [*python, *arguments["argv"][1:], *OPTIONS]
        return KernelSpec(resource_dir="", **arguments)


class _Kernel(AsyncKernelManager):
    def __init__(self, **settings: Any) -> None:
        settings["kernel_spec_manager"] = _Specs()
        settings["transport_encryption"] = "auto"
        super().__init__(**settings)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of what the build starts.

    Matplotlib and IPython keep settings and caches in the user's home, where
    a font list that names deleted files once stopped the build.

    Args:
        home: folder for what they keep; made as needed.
    """
    kept = {k: v for k, v in os.environ.items() if k not in FOREIGN}
    return kept | {
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "IPYTHONDIR": str(home / "ipython"),
        # The book needs no network: a page that asks for a model fails.
        "HF_HUB_OFFLINE": "1",
        # Where there is a GPU, jax would warn that it cannot use it.
        "JAX_PLATFORMS": "cpu",
        # The stack of a kernel that crashes, for the report of its death.
        "PYTHONFAULTHANDLER": "1",
        # A bar that moves has no place on a page.
        "TQDM_DISABLE": "1",
        # What tqdm, and with it transformers, says of a missing widget.
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }


@contextmanager
def fresh_home(parent: Path) -> Iterator[dict[str, str]]:
    """Make a home for the kernels of one build, its font list in it.

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


@dataclass(frozen=True, kw_only=True)
class KernelSettings:
    """What the kernels of one build share.

    Args:
        timeout: seconds that one cell may take.
        env: environment of the kernels.
        end: a lifeline, which ends them where it closes.
    """

    timeout: int
    env: Mapping[str, str]
    end: int


def run_notebook(
    notebook: Any,
    folder: Path,
    settings: KernelSettings,
    each_cell: Callable[[int], object],
) -> None:
    """Execute a notebook in place, in a kernel of its own.

    In the main thread nbclient takes the signals over, and an interrupt
    would pass for a kernel that died; call this in another.

    Args:
        notebook: its outputs are filled in.
        folder: where its cells run.
        settings: of the kernel.
        each_cell: called with a cell's number before it runs.

    Raises:
        CellExecutionError: a cell raised.
        CellTimeoutError: a cell took too long.
        DeadKernelError: a cell ended the kernel, whose last words are told.
    """
    client = NotebookClient(
        notebook,
        timeout=settings.timeout,
        record_timing=False,
        kernel_manager_class=_Kernel,
        resources={"metadata": {"path": str(folder)}},
        on_cell_execute=lambda cell_index, **_: each_cell(cell_index),
    )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = {"stdin": settings.end, "stdout": out, "stderr": err}
        try:
            client.execute(env=dict(settings.env), **streams)
        except DeadKernelError as error:
            err.seek(0)
            words = err.read().decode(errors="replace")[-LAST_WORDS:]
            raise DeadKernelError(f"{error}\n{words}".strip()) from error


def main() -> int:
    """Run the program that the command line names, in a fresh home.

    Returns:
        The program's exit status; 2 if none is named.
    """
    program = sys.argv[1:]
    if not program:
        usage = "usage: python -m bookbuild.run.kernels PROGRAM [ARGUMENT …]"
        print(usage, file=sys.stderr)
        return 2
    try:
        with fresh_home(Path(tempfile.gettempdir())) as env:
            return subprocess.run(program, env=env, check=False).returncode
    except KeyboardInterrupt:  # which the program was told of, too
        return 130


if __name__ == "__main__":
    sys.exit(main())
