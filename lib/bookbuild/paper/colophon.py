"""Which commit and which programs made the book, for its colophon."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version

import scratchlm

COVER = "From bytes to assistant"


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The commit that a book is built from.

    Args:
        name: abbreviated hash, "+" appended where files differ from it.
        when: time of the commit.
    """

    name: str
    when: datetime


def read_commit(folder: Path) -> Commit | None:
    """Ask git for the commit of a folder; None outside git or without it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    try:
        name, seconds = git("log", "-1", "--format=%h %ct").split()
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    when = datetime.fromtimestamp(int(seconds), UTC)
    return Commit(name=name + ("+" if changed else ""), when=when)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def byte_list(text: str) -> str:
    """List a text's UTF-8 bytes for TeX."""
    return ",".join(str(byte) for byte in text.encode())


def meta_source(commit: Commit | None) -> str:
    """Write what the colophon and the title page say, as TeX macros.

    Args:
        commit: what the book is built from; None leaves it out, and no date
            of today takes its place, so that equal sources make equal books.
    """
    words = COVER.split(" ")
    pieces = [words[0], *(" " + word for word in words[1:])]
    lengths = [len(piece.encode()) for piece in pieces]
    facts = {
        "bookversion": scratchlm.__version__,
        "bookcommit": "",
        "bookyear": "2026",
        "bookepoch": "",
        "bookpython": python_version(),
        "booktorch": _installed("torch"),
        "booksphinx": _installed("sphinx"),
        "bookcoverbytes": byte_list(COVER),
        "bookcoverhex": ",".join(f"{byte:02X}" for byte in COVER.encode()),
        "bookcoverlengths": ",".join(str(n) for n in lengths),
        "bookcoverwords": ",".join(
            f"{n}:{w}" for n, w in zip(lengths, words, strict=True)
        ),
    }
    if commit is not None:
        day = f"{commit.when.day} {commit.when:%B %Y}"
        facts["bookcommit"] = f", commit {commit.name} of {day}"
        facts["bookyear"] = str(commit.when.year)
        facts["bookepoch"] = str(int(commit.when.timestamp()))
    lines = [f"\\newcommand\\{key}{{{value}}}" for key, value in facts.items()]
    return "\n".join([*lines, ""])
