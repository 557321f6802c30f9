"""What a web page does and paper cannot: solutions, alignment, numbers."""

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

from bookbuild.paper.transforms import DropHidden

INDEX = """\
# The Book

```{toctree}
:numbered:

first
second
```
"""
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
Build = Callable[[str], str]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build a book of two chapters to LaTeX and give back its source."""

    def run(first: str) -> str:
        source = tmp_path / "source"
        source.mkdir()
        (source / "index.md").write_text(INDEX)
        (source / "first.md").write_text(first)
        (source / "second.md").write_text("# Second\n\nText.\n")
        settings = {
            "extensions": [
                "myst_parser",
                "sphinx_exercise",
                "bookbuild.paper.latex",
            ],
            "numfig": True,
            "myst_enable_extensions": ["dollarmath", "amsmath"],
            "latex_documents": [
                ("index", "book.tex", "The Book", "Us", "manual")
            ],
        }
        out, trees = tmp_path / "latex", tmp_path / "doctrees"
        with patch_docutils(str(source)), docutils_namespace():
            app = Sphinx(
                source, None, out, trees, "latex", settings, None, None
            )
            app.build()
        return (out / "book.tex").read_text(encoding="utf-8")

    return run


def _in_order(text: str, *parts: str) -> None:
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places), parts


def test_solutions_stand_at_the_end_and_link_both_ways(build: Build) -> None:
    """Catches solutions under the reader's eyes beside their exercises."""
    tex = build(first=EXERCISE)
    _in_order(
        tex,
        r"\begin{bytesexercise}{Exercise 1.1 (Count)}",
        "Count the pairs.",
        r"\bytessolutionlink{\detokenize{first:",
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
    assert r"\section{Solutions}" not in build("# First\n\nText.\n")


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
