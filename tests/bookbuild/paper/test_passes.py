"""Passes of LaTeX saved, and the same PDF for it."""

import shutil
from pathlib import Path

import pytest

from bookbuild.paper import tex
from bookbuild.paper.passes import Passes

needs_tex = pytest.mark.skipif(
    bool(tex.find_tex()), reason=f"TeX is incomplete: {tex.find_tex()}"
)
# The contents push the section to a later page than the first pass thinks.
BOOK = r"""
\documentclass{article}
\begin{document}
\tableofcontents
\newpage
See page~\pageref{end}. %s
\newpage
\section{%s}\label{end}
\end{document}
"""


def write(folder: Path, text: str = "", title: str = "End") -> Path:
    """Write what Sphinx would: a source, and the time for its dates."""
    folder.mkdir()
    (folder / "book.tex").write_text(BOOK % (text, title))
    meta = "\\newcommand\\bookepoch{1700000000}\n"
    (folder / "bytesmeta.tex").write_text(meta)
    return folder


def n_passes(folder: Path) -> int:
    """How often XeTeX ran, by what latexmk said."""
    return (folder / "said").read_text().count("of rule 'xelatex'")


def build(folder: Path) -> bytes:
    tex.build_pdf(folder, folder / "out" / "book.pdf")
    return (folder / "out" / "book.pdf").read_bytes()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what latexmk says in the folder that it ran in."""
    run = tex._run_latexmk

    def keep(folder: Path, name: str) -> tuple[int, str]:
        status, said = run(folder, name)
        with (folder / "said").open("a") as file:
            file.write(said)
        return status, said

    monkeypatch.setattr(tex, "_run_latexmk", keep)


@needs_tex
@pytest.mark.usefixtures("said")
def test_a_changed_book_needs_fewer_passes_for_the_same_pdf(
    tmp_path: Path,
) -> None:
    """Catches a page number of the older book that stays in the new one."""
    old = write(tmp_path / "old")
    build(old)
    scratch = write(tmp_path / "scratch", r"\newpage More.", "The end")
    expected = build(scratch)
    small = write(tmp_path / "small", "More.")
    tex.hand_on(old, small, Path("book.pdf"))
    assert b"%PDF" in build(small)
    assert n_passes(small) == 1 < n_passes(scratch)
    large = write(tmp_path / "large", r"\newpage More.", "The end")
    tex.hand_on(old, large, Path("book.pdf"))
    assert build(large) == expected


@needs_tex
def test_an_older_run_that_breaks_the_new_one_is_forgotten(
    tmp_path: Path,
) -> None:
    """Catches a build that fails until someone removes its folder."""
    old = write(tmp_path / "old")
    build(old)
    (old / "book.aux").write_text("\\nomore{x}\n")
    new = write(tmp_path / "new", "More.")
    tex.hand_on(old, new, Path("book.pdf"))
    assert build(new) == build(write(tmp_path / "scratch", "More."))


@pytest.fixture
def printed(tmp_path: Path) -> Path:
    """A folder whose PDF is marked as good."""
    folder = write(tmp_path / "printed")
    for name in ("book.pdf", "book.xdv", "book.aux", "book.log"):
        (folder / name).write_text(name)
    Passes(folder, "book").finish()
    return folder


def test_equal_sources_keep_their_pdf(
    tmp_path: Path, printed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a minute of TeX after a change of a comment."""
    monkeypatch.delattr(tex, "_run_latexmk")
    new = write(tmp_path / "new")
    tex.hand_on(printed, new, Path("book.pdf"))
    assert build(new) == b"book.pdf"


@pytest.mark.parametrize("name", ["book.tex", "font.ttf", "book.pdf"])
def test_any_other_byte_makes_the_pdf_stale(
    tmp_path: Path, printed: Path, name: str
) -> None:
    """Catches a changed font, of which latexmk does not know."""
    new = tmp_path / "new"
    shutil.copytree(printed, new)
    assert Passes(new, "book").are_current()
    (new / name).write_text("other")
    passes = Passes(new, "book")
    assert not passes.are_current()
    assert passes.begin()
    assert (new / "book.aux").is_file()
    assert not (new / "book.pdf").exists()


def test_a_run_that_did_not_end_hands_nothing_on(
    tmp_path: Path, printed: Path
) -> None:
    """Catches half a file that breaks each later build."""
    assert Passes(printed, "book").begin()
    new = write(tmp_path / "new")
    tex.hand_on(printed, new, Path("book.pdf"))
    assert {path.name for path in new.iterdir()} == {
        "book.tex",
        "bytesmeta.tex",
    }
    assert not Passes(new, "book").begin()
    tex.hand_on(tmp_path / "nowhere", new, Path("book.pdf"))
