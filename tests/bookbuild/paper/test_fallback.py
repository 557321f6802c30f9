"""The map from characters to the faces that have them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bookbuild.paper.fallback import FACES, coverage, fallback_source
from bookbuild.paper.latex import FONTS


def test_a_missing_font_is_named(tmp_path: Path) -> None:
    """Catches a PDF whose ideographs vanish because a file did."""
    with pytest.raises(ValueError, match="BytesSerif-Regular"):
        coverage(tmp_path)


def test_each_character_gets_a_class_exactly_when_a_face_lacks_it() -> None:
    """Catches characters that the map forgets, or assigns twice."""
    has = coverage(FONTS)
    source = fallback_source(FONTS)
    assigned: list[int] = []
    pattern = r'\\bytes@assign\{"(\w+)\}\{"(\w+)\}'
    for low, high in re.findall(pattern, source):
        assigned += range(int(low, 16), int(high, 16) + 1)
    everywhere = set.intersection(*(has[face] for face in FACES))
    anywhere = {c for c in set().union(*has.values()) if c > 0x20}
    assert sorted(assigned) == sorted(anywhere - everywhere)


def test_code_takes_a_smaller_substitute() -> None:
    """Catches ideographs in code as large as those of the text."""
    source = fallback_source(FONTS)
    entered = re.findall(r"@in\{\\bytes@enter(.*)\}\n", source)
    assert any(
        line == r"{\bytes@face@fallback}{\bytes@face@fallback}"
        r"{\bytes@face@smallfallback}{\bytes@face@smallfallback}"
        for line in entered
    )


def test_selectors_without_a_glyph_are_skipped() -> None:
    """Catches a build that fails on the invisible half of an emoji."""
    has = coverage(FONTS)
    source = fallback_source(FONTS)
    covered = any(0xFE0F in points for points in has.values())
    assert ('\\catcode"FE0F=9' in source) is not covered


@pytest.mark.skipif(
    shutil.which("xelatex") is None, reason="xelatex is not installed"
)
def test_every_face_prints_what_it_lacks(tmp_path: Path) -> None:
    """Catches groups left open around ideographs, in cells and in code."""
    for font in FONTS.glob("*.ttf"):
        shutil.copyfile(font, tmp_path / font.name)
    style = Path(__file__).parents[3] / "book" / "_latex" / "bytesfonts.sty"
    shutil.copyfile(style, tmp_path / style.name)
    (tmp_path / "bytesfallback.tex").write_text(fallback_source(FONTS))
    text = "日本a日{日}本 🙂\u200d👍\ufe0f → ∀ █ ✓ é Ω Ж"
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{amsmath,bytesfonts}\n"
        f"\\begin{{document}}{text} \\textbf{{{text}}} \\textit{{{text}}}\n\n"
        f"\\textsf{{{text}}} \\texttt{{{text}}} "
        f"\\texttt{{\\textit{{{text}}}}}\\footnote{{{text}}}\n\n"
        f"\\begin{{tabular}}{{lp{{3cm}}}}{text} & {text}\\\\ "
        f"日 & 本\\\\\\end{{tabular}} $\\text{{{text}}}$\n"
        "\\end{document}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    log = (tmp_path / "t.log").read_text("utf-8", "replace")
    assert done.returncode == 0, log[-2000:]
    lacking = [
        line
        for line in log.splitlines()
        if "Missing character" in line and "U+0020" not in line
    ]
    assert not lacking
    assert "occurred inside a group" not in log
