"""What the colophon says of a book's origin."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

import scratchlm
from bookbuild.paper import colophon
from bookbuild.paper.colophon import Commit, meta_source, read_commit


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [
            "git",
            "-C",
            str(folder),
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
            "-c",
            "commit.gpgsign=false",
            *arguments,
        ],
        check=True,
        capture_output=True,
    )


def test_the_commit_is_read_and_changes_are_marked(tmp_path: Path) -> None:
    """Catches a book that claims a commit which it was not built from."""
    page = tmp_path / "page.md"
    page.write_text("one")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", "page.md")
    _git(tmp_path, "commit", "-q", "-m", "One")
    clean = read_commit(tmp_path)
    assert clean is not None
    assert clean.when.tzinfo is UTC
    page.write_text("two")
    changed = read_commit(tmp_path)
    assert changed is not None
    assert changed.name == clean.name + "+"


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    """Catches a crash on an unpacked archive."""
    assert read_commit(tmp_path) is None


def test_without_git_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a crash on a machine without git."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_commit(tmp_path) is None


def test_the_facts_name_version_commit_and_day() -> None:
    """Catches a colophon with the day of the build."""
    when = datetime(2024, 2, 29, 12, tzinfo=UTC)
    source = meta_source(Commit(name="abc1234", when=when))
    assert f"\\newcommand\\bookversion{{{scratchlm.__version__}}}" in source
    assert "commit abc1234 of 29 February 2024" in source
    assert f"\\newcommand\\bookepoch{{{int(when.timestamp())}}}" in source
    assert "\\newcommand\\bookyear{2024}" in source


def test_without_a_commit_no_day_takes_its_place() -> None:
    """Catches today's date in a book that should not change."""
    source = meta_source(None)
    assert "\\newcommand\\bookcommit{}" in source
    assert "\\newcommand\\bookepoch{}" in source


def test_the_title_page_spells_its_bytes() -> None:
    """Catches a drawing whose bits, hex and words disagree."""
    source = meta_source(None)
    facts = dict(
        line.removeprefix("\\newcommand\\").rstrip("}").split("{", 1)
        for line in source.splitlines()
    )
    spelled = bytes(int(n) for n in facts["bookcoverbytes"].split(","))
    assert spelled.decode() == colophon.COVER
    assert bytes.fromhex(facts["bookcoverhex"].replace(",", "")) == spelled
    lengths = [int(n) for n in facts["bookcoverlengths"].split(",")]
    assert sum(lengths) == len(spelled)


def test_a_missing_package_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Catches a book that cannot be built without torch installed."""

    def absent(name: str) -> str:
        raise colophon.PackageNotFoundError(name)

    monkeypatch.setattr(colophon, "version", absent)
    assert "(not installed)" in meta_source(None)
