"""The LaTeX that a page becomes: parts, solutions, tables, numbers."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import (
    docutils_namespace,
    new_document,
    patch_docutils,
)

from scratchlm.book.fallback import fallback_source
from scratchlm.book.latex import FONTS
from scratchlm.book.paper import DropHidden

EXTENSIONS = [
    "myst_parser",
    "sphinx_external_toc",
    "sphinx_exercise",
    "sphinx_proof",
    "scratchlm.book.latex",
]
TOC = """\
root: index
subtrees:
  - caption: Start here
    entries:
      - file: setup
  - caption: Text & more
    numbered: true
    entries:
      - file: text/first
      - file: text/second
  - caption: Model
    numbered: true
    entries:
      - file: model/block
  - caption: Back matter
    entries:
      - file: reference
"""
PAGES = {
    "index.md": "# The Book\n\nWhat you will build.\n\n## Who reads it\n\nYou",
    "setup.md": "# Setup\n\nInstall it.",
    "text/first.md": "# First é\n\nText.",
    "text/second.md": "# Second\n\nText.",
    "model/block.md": "# Block\n\nText.",
    "reference.md": "# Reference\n\nText.",
}
EXERCISE = """\
# First

## Exercises

```{exercise} Count
:label: ex-a

Count the pairs.
```

```{solution-start} ex-a
:class: dropdown
```

There are seven.

```{solution-end}
```

```{exercise}
:label: ex-b

No solution is given.
```

```{exercise}
:nonumber:
:label: ex-c

Unnumbered.
```

```{solution} ex-c
Solved.
```

See {ref}`ex-a`.

## Sources

The end.
"""
Build = Callable[..., str]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build a small book to LaTeX and give back its source."""

    def run(**changed: str) -> str:
        source = tmp_path / "source"
        pages = PAGES | {f"text/{k}.md": v for k, v in changed.items()}
        for name, text in pages.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (source / "_toc.yml").write_text(TOC)
        settings = {
            "project": "The Book",
            "extensions": EXTENSIONS,
            "external_toc_path": "_toc.yml",
            "numfig": True,
            "myst_enable_extensions": ["dollarmath", "amsmath"],
            "latex_engine": "xelatex",
            "latex_documents": [
                ("index", "book.tex", "The Book", "Us", "manual")
            ],
        }
        out = tmp_path / "latex"
        with patch_docutils(str(source)), docutils_namespace():
            app = Sphinx(
                source,
                None,
                out,
                tmp_path / "doctrees",
                "latex",
                settings,
                status=None,
                warning=None,
                freshenv=True,
            )
            app.build()
        return (out / "book.tex").read_text(encoding="utf-8")

    return run


def _in_order(text: str, *parts: str) -> None:
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places), parts


def test_captions_become_parts(build: Build) -> None:
    """Catches a flat book: Sphinx drops the captions of the contents."""
    tex = build()
    _in_order(
        tex,
        r"\chapter{Setup}",
        r"\mainmatter",
        r"\part{Text \& more}",
        r"\chapter{First é}",
        r"\chapter{Second}",
        r"\part{Model}",
        r"\chapter{Block}",
        r"\bytesbackmatter",
        r"\chapter{Reference}",
    )
    assert tex.count(r"\mainmatter") == 1
    assert r"\part{Start here}" not in tex


def test_the_root_page_becomes_the_preface(build: Build) -> None:
    """Catches sections of the root page that turn into chapters."""
    _in_order(
        build(),
        r"\chapter{Preface}",
        "What you will build.",
        r"\section{Who reads it}",
        r"\chapter{Setup}",
    )


def test_a_root_page_of_a_title_alone_makes_no_preface(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches an empty chapter before the first."""
    monkeypatch.setitem(PAGES, "index.md", "# The Book\n")
    assert "Preface" not in build()


def test_chapters_open_with_the_bytes_of_their_title(build: Build) -> None:
    """Catches a mark that shows code points where it claims bytes."""
    expected = ",".join(str(byte) for byte in "First é".encode())
    _in_order(build(), f"\\bytesnext{{{expected}}}", r"\chapter{First é}")


def test_solutions_stand_at_the_end_and_link_both_ways(build: Build) -> None:
    """Catches solutions under the reader's eyes beside their exercises."""
    tex = build(first=EXERCISE)
    _in_order(
        tex,
        r"\begin{bytesexercise}{Exercise 1.1 (Count)}",
        "Count the pairs.",
        r"\bytessolutionlink{\detokenize{text/first:",
        r"\end{bytesexercise}",
        "No solution is given.",
        r"\section{Sources}",
        r"\section{Solutions}",
        r"\begin{bytessolution}{exercise:ex-a}{Solution to Exercise 1.1",
        "There are seven.",
        r"\end{bytessolution}",
        "Solved.",
        r"\chapter{Second}",
    )
    assert tex.count(r"\bytessolutionlink") == 2
    assert tex.count("There are seven.") == 1
    target = tex.split(r"\bytessolutionlink{\detokenize{")[1].split("}")[0]
    assert f"\\label{{\\detokenize{{{target}}}}}" in tex
    assert r"\label{exercise:ex-a}" in tex
    assert r"\hyperref[exercise:ex-a]{" in tex


def test_a_chapter_without_solutions_has_no_such_section(
    build: Build,
) -> None:
    """Catches an empty heading at the end of every page."""
    assert r"\section{Solutions}" not in build()


def test_theorems_are_named_numbered_and_proved(build: Build) -> None:
    """Catches sphinx-proof's proof, whose box eats its first word."""
    tex = build(
        first="# First\n\n"
        "```{prf:theorem} Shrinking\n:label: thm\n\nIt shrinks.\n```\n\n"
        "```{prf:proof}\nEach merge does.\n```\n\n"
        "```{prf:remark}\n:nonumber:\n:label: rem\n\nSo it ends.\n```\n"
    )
    _in_order(
        tex,
        r"\begin{bytestheorem}{Theorem 1.1}{ (Shrinking)}",
        r"\end{bytestheorem}",
        r"\begin{bytesproof}",
        r"\sphinxstyleemphasis{Proof.} Each merge does.",
        r"\end{bytesproof}",
        r"\begin{bytestheorem}{Remark}",
    )


def test_columns_keep_their_alignment(build: Build) -> None:
    """Catches numbers set flush left, which no eye can compare."""
    tex = build(
        first="# First\n\n| a | b | c |\n| --- | --: | :-: |\n| x | 1 | y |\n"
    )
    assert r"\begin{tabulary}{\linewidth}[t]{LRC}" in tex


def test_a_column_specification_of_the_author_stays(build: Build) -> None:
    """Catches the transform that overrules `tabularcolumns`."""
    tex = build(
        first="# First\n\n```{eval-rst}\n.. tabularcolumns:: p{1cm}p{2cm}\n\n"
        "==  ==\na   b\n==  ==\n1   2\n==  ==\n```\n"
    )
    assert "{p{1cm}p{2cm}}" in tex


def test_a_name_and_its_number_stay_on_one_line(build: Build) -> None:
    """Catches "Table" at the end of one line and "1.1" on the next."""
    tex = build(
        first="# First\n\nSee {numref}`tab`.\n\n"
        "```{table} Numbers\n:name: tab\n\n| a |\n| - |\n| 1 |\n```\n"
    )
    assert "{Table\u00a0\\ref{" in tex


def test_a_bare_align_has_one_number(build: Build) -> None:
    """Catches paper and page that number the same equation differently."""
    tex = build(
        first="# First\n\n"
        "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\n\n"
        "\\begin{align}\ne &= f \\tag{x}\n\\end{align}\n\n"
        "\\begin{align*}\ng &= h\n\\end{align*}\n"
    )
    assert r"\begin{equation}\begin{aligned}" in tex
    assert r"\end{aligned}\end{equation}" in tex
    assert tex.count(r"\begin{align}") == 1
    assert tex.count(r"\begin{align*}") == 1


def _cell(tag: str) -> nodes.container:
    cell = nodes.container(classes=["cell", f"tag_{tag}"])
    for part in ("input", "output"):
        box = nodes.container(classes=[f"cell_{part}"])
        box += nodes.paragraph("", f"{part} of {tag}")
        cell += box
    return cell


def test_what_a_page_hides_is_not_printed() -> None:
    """Catches hidden code that paper shows, for it has no button."""
    document = new_document("page")
    for tag in ("hide-input", "hide-output", "hide-cell", "other"):
        document += _cell(tag)
    DropHidden(document).run()
    assert [node.astext() for node in document.findall(nodes.paragraph)] == [
        "output of hide-input",
        "input of hide-output",
        "input of other",
        "output of other",
    ]


def test_the_rule_above_footnotes_goes(build: Build) -> None:
    """Catches a rule across the page, above footnotes that went elsewhere."""
    tex = build(first="# First\n\nText.[^a]\n\n[^a]: A note.\n")
    assert "A note." in tex
    assert r"\hrule" not in tex.split(r"\begin{document}")[1]


def test_fonts_and_facts_lie_beside_the_source(
    tmp_path: Path, build: Build
) -> None:
    """Catches a folder that only compiles on the machine that made it."""
    build()
    found = {path.name for path in (tmp_path / "latex").iterdir()}
    fonts = {path.name for path in FONTS.glob("*.ttf")}
    assert fonts
    assert fonts | {"bytesmeta.tex", "bytesfallback.tex"} <= found


def test_other_builders_are_left_alone(tmp_path: Path) -> None:
    """Catches fonts and TeX files strewn into the web pages."""
    (tmp_path / "index.md").write_text("# The Book\n\nText.\n")
    with patch_docutils(str(tmp_path)), docutils_namespace():
        Sphinx(
            tmp_path,
            None,
            tmp_path / "out",
            tmp_path / "doctrees",
            "html",
            {"extensions": ["myst_parser", "scratchlm.book.latex"]},
            status=None,
            warning=None,
        ).build()
    assert not list((tmp_path / "out").glob("bytes*"))


def test_a_book_without_a_contents_file_still_builds(tmp_path: Path) -> None:
    """Catches a crash where sphinx-external-toc is not loaded."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.rst").write_text(
        "Book\n====\n\n.. toctree::\n\n   page\n"
    )
    (source / "page.rst").write_text("Page\n====\n\nText.\n")
    with patch_docutils(str(source)), docutils_namespace():
        Sphinx(
            source,
            None,
            tmp_path / "out",
            tmp_path / "doctrees",
            "latex",
            {
                "extensions": [
                    "sphinx_exercise",
                    "sphinx_proof",
                    "scratchlm.book.latex",
                ],
                "latex_documents": [
                    ("index", "book.tex", "The Book", "Us", "manual")
                ],
            },
            status=None,
            warning=None,
        ).build()
    assert r"\chapter{Page}" in (tmp_path / "out" / "book.tex").read_text()


@pytest.mark.skipif(
    shutil.which("xelatex") is None, reason="xelatex is not installed"
)
def test_every_face_prints_what_it_lacks(tmp_path: Path) -> None:
    """Catches groups left open around ideographs, in cells and in code."""
    for font in FONTS.glob("*.ttf"):
        shutil.copyfile(font, tmp_path / font.name)
    style = Path(__file__).parents[2] / "book" / "_latex" / "bytesfonts.sty"
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
