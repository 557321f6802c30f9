"""Make the book: ``python -m bookbuild.build``."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import yaml

from bookbuild import budget
from bookbuild.leash import leashed, lifeline
from bookbuild.notebook.export import export_book
from bookbuild.paper import tex
from bookbuild.run.execute import (
    ANSI,
    ChapterError,
    Execution,
    execute_book,
)
from bookbuild.run.kernels import environment
from bookbuild.run.stages import (
    Stage,
    StageError,
    input_hash,
    only_build,
)
from scratchlm.foundation.durable import write_whole

PDF = "from-bytes-to-assistant.pdf"
TARGETS = {
    "all": ("notebooks", "html", "pdf"),
    "html": ("notebooks", "html"),
    "pdf": ("pdf",),
    "notebooks": ("notebooks",),
}
OPENED = {"notebooks": "", "html": "index.html", "pdf": PDF}
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


class Book:
    """One build of one checkout.

    Args:
        root: folder of the checkout.
    """

    def __init__(self, root: Path):
        self.root = root
        self.build = root / "_build"
        self.cache = self.build / ".jupyter_cache"
        inputs = input_hash(root)
        outputs = {
            "notebooks": self.build / "notebooks",
            "html": self.build / "html",
            "pdf": self.build / "pdf",
        }
        self.stages = {
            name: Stage(
                name=name,
                build=self.build,
                output=output,
                inputs=inputs,
                guest=PDF if name == "html" else "",
            )
            for name, output in outputs.items()
        }

    def execute(self) -> list[Execution]:
        """Fill the cache; see :func:`execute_book`."""
        started = time.perf_counter()
        executions = execute_book(self.root, self.cache)
        if any(each.status == "executed" for each in executions):
            self._record("chapters", started)
        return executions

    def make_all(self, names: Sequence[str]) -> None:
        """Bring outputs up to date, HTML and PDF side by side.

        Each is a Sphinx of its own, which computes in one thread.

        Args:
            names: of the outputs, of which the notebooks come first.
        """
        with ThreadPoolExecutor(1) as pool, lifeline() as end:
            if "notebooks" in names:
                self.make("notebooks", end)
            beside = [
                pool.submit(self.make, name, end)
                for name in names
                if name == "html"
            ]
            if "pdf" in names:
                self.make("pdf", end)
            for html in beside:
                html.result()

    def make(self, name: str, end: int) -> None:
        """Bring one output up to date, if it is not.

        Args:
            name: ``notebooks``, ``html`` or ``pdf``.
            end: a lifeline, whose end stops the work.
        """
        stage = self.stages[name]
        if stage.is_current():
            return
        started = time.perf_counter()
        say(f"{name} ...")
        stage.run(partial(getattr(self, f"_{name}"), end))
        self._record(name, started)
        say(f"{name}: {time.perf_counter() - started:.1f} s")

    def _record(self, stage: str, started: float) -> None:
        seconds = time.perf_counter() - started
        budget.record(stage, seconds, self.root / budget.FOLDER)

    def _notebooks(self, end: int, target: Path) -> None:
        export_book(self.root, self.cache, target)

    def _html(self, end: int, target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.build, prefix=".new-") as t:
            self._sphinx("html", Path(t), end).rename(target)
        shutil.copytree(
            self.stages["notebooks"].output,
            target / "_sources",
            dirs_exist_ok=True,
        )

    def _pdf(self, end: int, target: Path) -> None:
        target.mkdir()
        latex = self.build / "latex"  # stays, for whoever reads its log
        with tempfile.TemporaryDirectory(dir=self.build, prefix=".new-") as t:
            fresh = self._sphinx("latex", Path(t), end)
            tex.hand_on(latex, fresh, target / PDF)
            shutil.rmtree(latex, ignore_errors=True)
            fresh.rename(latex)
        tex.build_pdf(latex, target / PDF)

    def link_pdf(self) -> None:
        """Put the PDF where each HTML page offers it for download."""
        html = self.stages["html"]
        if html.is_current() and self.stages["pdf"].is_current():
            pdf = self.stages["pdf"].output / PDF
            write_whole(html.output / PDF, pdf.read_bytes())

    def _sphinx(self, builder: str, folder: Path, end: int) -> Path:
        """Run Jupyter Book in a fresh environment, warnings as errors.

        Sphinx does not see that a page's outputs changed when its text
        did not, so that an incremental run could show stale ones.
        """
        config = yaml.safe_load((self.root / "_config.yml").read_text("utf8"))
        config["execute"]["cache"] = str(self.cache)
        (folder / "_config.yml").write_text(yaml.safe_dump(config), "utf8")
        command = [sys.executable, "-c", JUPYTER_BOOK, "build"]
        command += [str(self.root / "book"), "--builder", builder, "--all"]
        command += ["-n", "-W", "--keep-going", "--path-output", str(folder)]
        command += ["--config", str(folder / "_config.yml")]
        command += ["--toc", str(self.root / "_toc.yml")]
        log = self.build / "logs" / f"{builder}.log"
        if run_logged(command, log, environment(folder), end) != 0:
            raise StageError(f"{builder} failed; the whole log is in {log}")
        if "Executing notebook" in log.read_text("utf8"):
            raise StageError(
                f"{builder}: Sphinx executed a page that the cache should "
                f"have held; see {log}"
            )
        return folder / "_build" / builder


def run_logged(
    command: Sequence[str], log: Path, env: Mapping[str, str], end: int
) -> int:
    """Run a command; show its warnings, keep the rest in a file.

    Args:
        command: program and arguments.
        log: file for all output; overwritten.
        env: environment of the program.
        end: a lifeline, whose end also ends the program.

    Returns:
        The exit status.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf8") as file,
        leashed(
            command, stdout=file, stderr=subprocess.PIPE, env=env, end=end
        ) as process,
    ):
        assert process.stderr is not None
        for coloured in process.stderr:
            line = ANSI.sub("", coloured)
            sys.stderr.write(line)
            file.write(line)
            file.flush()
    return process.returncode


def say(line: str) -> None:
    """Tell the reader what goes on, at once even into a pipe."""
    print(line, flush=True)


def summary(executions: Sequence[Execution]) -> str:
    """Lay out chapter, seconds, executed or cached, as a table.

    Args:
        executions: one entry for each chapter.
    """
    rows = [("chapter", "seconds", "")]
    rows += [(e.page, f"{e.seconds:.1f}", e.status) for e in executions]
    wide = max(len(row[0]) for row in rows)
    return "\n".join(f"{a:{wide}}  {b:>7}  {c}".rstrip() for a, b, c in rows)


def prepare_tex() -> str:
    """Make sure of TeX where that can be done without asking.

    Returns:
        The empty string, or what the reader has to do.
    """
    if not tex.find_tex():
        return ""
    say("TeX is incomplete")
    try:
        remedy = tex.install_tex()
    except tex.TexError as error:  # the HTML does not need it
        remedy = str(error)
    if not (missing := tex.find_tex()):
        return ""
    lacking = ", ".join(missing)
    return f"The PDF was not made; TeX lacks {lacking}.\n{remedy}"


def build(root: Path, target: str = "all") -> int:
    """Build what was asked for, and say what was done.

    Args:
        root: folder of the checkout.
        target: ``all``, ``html``, ``pdf`` or ``notebooks``.

    Returns:
        Exit status; 1 where the PDF had to be left out.
    """
    started = time.perf_counter()
    names = list(TARGETS[target])
    with only_build(root / "_build"):
        book = Book(root)
        wants_tex = "pdf" in names and not book.stages["pdf"].is_current()
        with ThreadPoolExecutor(1) as pool:  # an installation takes a minute
            tex_ready = pool.submit(prepare_tex if wants_tex else str)
            executions = book.execute()
            remedy = tex_ready.result()
        if remedy:
            names.remove("pdf")
        book.make_all(names)
        book.link_pdf()
    say(f"\n{summary(executions)}\n")
    for name in names:
        say(f"{name:10} {book.stages[name].output / OPENED[name]}")
    say(f"total      {time.perf_counter() - started:.1f} s")
    if remedy:
        print(f"\n{remedy}", file=sys.stderr)
    return int(bool(remedy))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and build.

    Args:
        arguments: what follows the program's name; default ``sys.argv``.
    """
    parser = argparse.ArgumentParser(prog="python -m bookbuild.build")
    parser.add_argument("target", nargs="?", default="all", choices=TARGETS)
    parser.add_argument("--root", type=Path, default=Path.cwd())
    chosen = parser.parse_args(arguments)
    if not (chosen.root / "_toc.yml").is_file():
        parser.error(f"no _toc.yml in {chosen.root}; run it in the checkout")
    try:
        return build(chosen.root.resolve(), chosen.target)
    except (ChapterError, StageError, ValueError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the next build resumes", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
