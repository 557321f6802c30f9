"""The PDF's last step: TeX found, TeX run, and its log read with care."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bookbuild.paper import tex

needs_tex = pytest.mark.skipif(
    bool(tex.find_tex()), reason=f"TeX is incomplete: {tex.find_tex()}"
)


def _program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_no_program_is_found_on_an_empty_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a crash where TeX is not installed at all."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tex.find_tex() == list(tex.PROGRAMS)


def test_a_missing_style_file_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a half-installed TeX Live that fails minutes into the build."""
    for name in tex.PROGRAMS:
        _program(tmp_path, name, "true")
    known = [n for n in tex.FILES if n != "titlesec.sty"]
    lines = "\n".join(f"echo /texmf/{name}" for name in known)
    _program(tmp_path, "kpsewhich", lines)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tex.find_tex() == ["titlesec.sty (texlive-latex-extra)"]


def test_install_says_how_where_it_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches apt-get run on another system, or without leave."""
    monkeypatch.setenv("PATH", str(tmp_path))
    release = tmp_path / "os-release"
    release.write_text("ID=fedora\n")
    text = tex.install_tex(release)
    assert "sudo apt-get install" in text
    assert "sudo dnf install" in text
    assert "brew install --cask" in text
    for package in tex.PACKAGES:
        assert package in text


def test_install_without_os_release_says_how(tmp_path: Path) -> None:
    """Catches a crash on systems that do not name themselves."""
    assert "sudo dnf" in tex.install_tex(tmp_path / "absent")


def _as_root_on_debian(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apt: str
) -> Path:
    _program(tmp_path, "apt-get", apt)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tex.platform, "system", lambda: "Linux")
    release = tmp_path / "os-release"
    release.write_text('NAME="Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n')
    return release


def test_install_asks_apt_for_exactly_our_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a package that the list has and the command forgot."""
    seen = tmp_path / "seen"
    release = _as_root_on_debian(tmp_path, monkeypatch, f'echo "$@" >> {seen}')
    assert tex.install_tex(release) == ""
    update, install = seen.read_text().splitlines()
    assert update == "update"
    assert install.split()[-len(tex.PACKAGES) :] == list(tex.PACKAGES)


def test_a_failing_apt_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches an installation that fails in silence."""
    release = _as_root_on_debian(
        tmp_path, monkeypatch, "echo 'E: no network' >&2; exit 100"
    )
    with pytest.raises(tex.TexError, match="no network"):
        tex.install_tex(release)


def test_a_folder_without_the_source_is_refused(tmp_path: Path) -> None:
    """Catches latexmk's riddle of an answer to a wrong folder."""
    with pytest.raises(ValueError, match=r"no .*book\.tex"):
        tex.build_pdf(tmp_path, tmp_path / "book.pdf")


def test_a_latexmk_that_dies_without_a_log_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches success reported because the log had nothing to say."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    _program(bin_folder, "latexmk", "echo no such option; exit 10")
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    (tmp_path / "book.tex").write_text("")
    with pytest.raises(tex.TexError, match=r"ended with 10:\nno such option"):
        tex.build_pdf(tmp_path, tmp_path / "out" / "book.pdf")


def test_a_latexmk_that_hangs_ends_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, witness: Any
) -> None:
    """Catches a XeTeX that goes on after the build has given up."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    _program(bin_folder, "latexmk", witness.script)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    monkeypatch.setattr(tex, "LATEXMK_SECONDS", 2)
    (tmp_path / "book.tex").write_text("")
    with pytest.raises(tex.TexError, match=r"did not end within 2 s"):
        tex.build_pdf(tmp_path, tmp_path / "out" / "book.pdf")
    witness.wait_for_start()
    witness.wait_for_end()


def _document(folder: Path, body: str, preamble: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "book.tex").write_text(
        "\\documentclass{article}\n\\usepackage{fontspec}\n"
        f"{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    return folder


@needs_tex
def test_a_real_document_becomes_a_pdf(tmp_path: Path) -> None:
    """Catches a command line that latexmk does not take."""
    out = tmp_path / "pdf" / "book.pdf"
    tex.build_pdf(_document(tmp_path / "latex", "Hello."), out)
    assert out.read_bytes().startswith(b"%PDF")
    assert [p.name for p in out.parent.iterdir()] == ["book.pdf"]


@needs_tex
def test_equal_commits_make_equal_files(tmp_path: Path) -> None:
    """Catches a clock that gets into the file."""
    made = []
    for name in ("a", "b"):
        folder = _document(tmp_path / name, "Hello, \\today.")
        meta = "\\newcommand\\bookepoch{1700000000}\n"
        (folder / "bytesmeta.tex").write_text(meta)
        tex.build_pdf(folder, tmp_path / f"out-{name}" / "book.pdf")
        made.append((tmp_path / f"out-{name}" / "book.pdf").read_bytes())
    assert made[0] == made[1]


@needs_tex
@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("\\undefinedcommand", "Undefined control sequence"),
        ("See \\ref{nowhere}.", "nowhere"),
        ("Text\\label{a}\\label{a}", "defined twice"),
        ("\u4e9c", "U+4E9C"),
        ("\\noindent\\hbox to 2\\textwidth{\\hfil}", "too wide"),
    ],
)
def test_real_faults_keep_the_old_pdf(
    tmp_path: Path, body: str, complaint: str
) -> None:
    """Catches a log check that TeX's own wording slips past."""
    out = tmp_path / "book.pdf"
    out.write_bytes(b"the last good one")
    with pytest.raises(tex.TexError, match=re.escape(complaint)):
        tex.build_pdf(_document(tmp_path / "latex", body), out)
    assert out.read_bytes() == b"the last good one"


def test_the_programs_are_looked_up_by_name() -> None:
    """Catches a find_tex that calls a present program missing."""
    present = [name for name in tex.PROGRAMS if shutil.which(name)]
    assert not set(present) & set(tex.find_tex())
