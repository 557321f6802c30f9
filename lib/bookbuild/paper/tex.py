"""From LaTeX to the printed book, and what may not go wrong on the way."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from bookbuild.leash import leashed
from bookbuild.paper.passes import Passes
from bookbuild.paper.texlog import check_log
from scratchlm.foundation.durable import write_whole

PROGRAMS = ("xelatex", "latexmk", "xindy", "kpsewhich")
# One file for each package of Debian's that the book needs, so that a missing
# package is named by something that kpsewhich can look for.
FILES = {
    "fontspec.sty": "texlive-latex-recommended",
    "unicode-math.sty": "texlive-latex-recommended",
    "titlesec.sty": "texlive-latex-extra",
    "tabulary.sty": "texlive-latex-extra",
    "framed.sty": "texlive-latex-extra",
    "needspace.sty": "texlive-latex-extra",
    "upquote.sty": "texlive-latex-extra",
    "microtype.sty": "texlive-latex-recommended",
    "polyglossia.sty": "texlive-latex-recommended",
    "latinmodern-math.otf": "texlive-latex-base",
}
PACKAGES = (
    "texlive-xetex",
    "texlive-latex-recommended",
    "texlive-latex-extra",
    "texlive-fonts-recommended",
    "texlive-plain-generic",
    "tex-gyre",
    "latexmk",
    "xindy",
)
FEDORA = (
    "texlive-xetex",
    "texlive-collection-latexrecommended",
    "texlive-collection-latexextra",
    "texlive-collection-fontsrecommended",
    "texlive-collection-plaingeneric",
    "latexmk",
    "texlive-xindy",
)
LATEXMK_SECONDS = 900


class TexError(ValueError):
    """The book's LaTeX failed, or its pages would make a reader stumble."""


def find_tex() -> list[str]:
    """List the programs and files that the PDF needs and this machine lacks.

    An empty list means that the PDF can be built.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if "kpsewhich" in missing:
        return missing
    done = subprocess.run(
        ["kpsewhich", *FILES], capture_output=True, text=True, check=False
    )
    found = {Path(line).name for line in done.stdout.splitlines()}
    missing += [
        f"{name} ({package})"
        for name, package in FILES.items()
        if name not in found
    ]
    return missing


def install_commands() -> str:
    """Give the exact command that installs TeX on each system."""
    debian = " ".join(PACKAGES)
    fedora = " ".join(FEDORA)
    return (
        "The PDF needs TeX Live with XeTeX. Install it with one of these, "
        "then run the same command again.\n"
        "  Debian, Ubuntu:\n"
        "    sudo apt-get install --yes --no-install-recommends "
        f"{debian}\n"
        f"  Fedora:\n    sudo dnf install --assumeyes {fedora}\n"
        "  macOS:\n    brew install --cask mactex-no-gui"
    )


def _is_debian(os_release: Path) -> bool:
    try:
        text = os_release.read_text(encoding="utf-8")
    except OSError:
        return False
    names = re.findall(r"^ID(?:_LIKE)?=(.*)$", text, re.MULTILINE)
    return any(
        name in entry.strip("\"'").split()
        for entry in names
        for name in ("debian", "ubuntu")
    )


def install_tex(os_release: Path = Path("/etc/os-release")) -> str:
    """Install TeX where we may, and otherwise say how.

    Args:
        os_release: the file that names the system.

    Returns:
        Empty after an installation; else the commands for each system, for
        the user to run.

    Raises:
        TexError: apt-get failed; its last lines are in the message.
    """
    may = platform.system() == "Linux" and os.geteuid() == 0
    if not (may and shutil.which("apt-get") and _is_debian(os_release)):
        return install_commands()
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update"],
        [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            *PACKAGES,
        ],
    ):
        done = subprocess.run(
            command, env=quiet, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
            raise TexError(
                f"{' '.join(command)} failed with {done.returncode}:\n{tail}\n"
                f"{install_commands()}"
            )
    return ""


def _epoch(latex_dir: Path) -> str | None:
    """Find the commit's time, which the book's LaTeX extension left here."""
    try:
        meta = (latex_dir / "bytesmeta.tex").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = re.search(r"\\bookepoch\{(\d+)\}", meta)
    return found[1] if found else None


def _run_latexmk(latex_dir: Path, name: str) -> tuple[int, str]:
    """Run LaTeX as often as it takes; exit status and what it said."""
    settings = {
        **os.environ,
        "LATEXOPTS": "",
        "XINDYOPTS": "-L english -C utf8 -M sphinx.xdy",
        "max_print_line": "100000",
        "error_line": "254",
        "half_error_line": "238",
    }
    epoch = _epoch(latex_dir)
    if epoch is not None:
        # Equal commits make equal files: no clock in dates, nor in the id.
        settings["SOURCE_DATE_EPOCH"] = epoch
        settings["FORCE_SOURCE_DATE"] = "1"
    command = ["latexmk", "-pdfxe", "-dvi-", "-ps-"]
    command += ["-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
    with leashed(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=latex_dir,
        env=settings,
    ) as process:
        try:
            said, _ = process.communicate(timeout=LATEXMK_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise TexError(
                f"latexmk on {latex_dir / name}.tex did not end within "
                f"{LATEXMK_SECONDS} s; look at the end of its .log there"
            ) from error
    return process.returncode, said


def build_pdf(latex_dir: Path, out_pdf: Path) -> None:
    """Make the PDF, and fail on what a reader would stumble on.

    Args:
        latex_dir: what Sphinx's LaTeX builder wrote; one .tex file in it
            bears the name of the PDF. What :func:`hand_on` put there saves
            passes, or all of them where no source changed.
        out_pdf: where the PDF goes, replaced only by a good one.

    Raises:
        TexError: an error of LaTeX, an undefined reference, a label defined
            twice, a character that no face has, or a box more than 10 pt too
            wide; the message lists each.
        ValueError: there is no such .tex file.
    """
    name = out_pdf.stem
    source = latex_dir / f"{name}.tex"
    if not source.is_file():
        raise ValueError(
            f"no {source}; run the LaTeX builder into {latex_dir} first, "
            f"with latex.latex_documents.targetname {name}.tex in _config.yml"
        )
    passes = Passes(latex_dir, name)
    if not passes.are_current():
        _typeset(passes, source)
    out_pdf.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out_pdf, passes.pdf.read_bytes())


def hand_on(old: Path, new: Path, out_pdf: Path) -> None:
    """Let a run of LaTeX start where the last good one ended.

    Args:
        old: folder of the last run; need not exist.
        new: what Sphinx's LaTeX builder wrote since.
        out_pdf: where the PDF goes.
    """
    Passes(old, out_pdf.stem).hand_on(new)


def _typeset(passes: Passes, source: Path) -> None:
    older = passes.begin()
    status, said = _run_latexmk(passes.folder, passes.name)
    if status != 0 and older:
        # Those files may name what the sources no longer define.
        passes.forget()
        status, said = _run_latexmk(passes.folder, passes.name)
    log_file = passes.pdf.with_suffix(".log")
    log = log_file.read_text("utf-8", "replace") if log_file.is_file() else ""
    complaint = check_log(log).complaint()
    if complaint:
        raise TexError(f"{source}: {complaint}\nThe whole log: {log_file}")
    if status != 0 or not passes.pdf.is_file():
        tail = "\n".join(said.splitlines()[-12:])
        raise TexError(f"latexmk on {source} ended with {status}:\n{tail}")
    passes.finish()
