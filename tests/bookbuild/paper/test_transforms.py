"""What a web page does and paper cannot: solutions, alignment, numbers."""

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

exercises
tables
math
notes
```
"""
EXERCISE = """\
# Exercises

## To do

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
TABLES = """\
# Tables

| a | b | c |
| --- | --: | :-: |
| x | 1 | y |

See {numref}`tab`.

```{table} Numbers
:name: tab

| a |
| - |
| 1 |
```
"""
MATH = r"""
# Math

\begin{align}
a &= b \\
c &= d
\end{align}

\begin{align}
e &= f \tag{x}
\end{align}

\begin{align*}
g &= h
\end{align*}
"""
NOTES = """\
# Notes

Text.[^a]

[^a]: A note.
"""


@pytest.fixture(scope="module")
def chapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The LaTeX of each chapter of one small book, by title."""
    folder = tmp_path_factory.mktemp("transforms")
    source = folder / "source"
    source.mkdir()
    pages = {"exercises": EXERCISE, "tables": TABLES, "math": MATH}
    for name, text in {"index": INDEX, **pages, "notes": NOTES}.items():
        (source / f"{name}.md").write_text(text)
    settings = {
        "extensions": [
            "myst_parser",
            "sphinx_exercise",
            "bookbuild.paper.latex",
        ],
        "numfig": True,
        "myst_enable_extensions": ["dollarmath", "amsmath"],
        "latex_documents": [("index", "book.tex", "The Book", "Us", "manual")],
    }
    out, trees = folder / "latex", folder / "doctrees"
    with patch_docutils(str(source)), docutils_namespace():
        Sphinx(source, None, out, trees, "latex", settings, None, None).build()
    text = (out / "book.tex").read_text(encoding="utf-8")
    _, *found = text.split("\\chapter{")
    return {each.partition("}")[0]: each for each in found}


def _in_order(text: str, *parts: str) -> None:
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places), parts


def test_solutions_stand_at_the_end_and_link_both_ways(
    chapters: dict[str, str],
) -> None:
    """Catches solutions under the reader's eyes beside their exercises."""
    tex = chapters["Exercises"]
    _in_order(
        tex,
        r"\begin{bytesexercise}{Exercise 1.1 (Count)}",
        "Count the pairs.",
        r"\bytessolutionlink{\detokenize{exercises:",
        r"\end{bytesexercise}",
        "No solution is given.",
        r"\section{Sources}",
        r"\section{Solutions}",
        r"\begin{bytessolution}{exercise:ex-a}{Solution to Exercise 1.1",
        "There are seven.",
        r"\end{bytessolution}",
        "Solved.",
    )
    assert tex.count(r"\bytessolutionlink") == 2
    assert tex.count("There are seven.") == 1
    target = tex.split(r"\bytessolutionlink{\detokenize{")[1].split("}")[0]
    assert f"\\label{{\\detokenize{{{target}}}}}" in tex
    assert r"\label{exercise:ex-a}" in tex
    assert r"\hyperref[exercise:ex-a]{" in tex


def test_a_chapter_without_solutions_has_no_such_section(
    chapters: dict[str, str],
) -> None:
    """Catches an empty heading at the end of every page."""
    assert r"\section{Solutions}" not in chapters["Tables"]


def test_columns_keep_their_alignment(chapters: dict[str, str]) -> None:
    """Catches numbers set flush left, which no eye can compare."""
    assert r"\begin{tabulary}{\linewidth}[t]{LRC}" in chapters["Tables"]


def test_a_name_and_its_number_stay_on_one_line(
    chapters: dict[str, str],
) -> None:
    """Catches "Table" at the end of one line and "1.1" on the next."""
    assert "{Table\u00a0\\ref{" in chapters["Tables"]


def test_a_bare_align_has_one_number(chapters: dict[str, str]) -> None:
    """Catches paper and page that number the same equation differently."""
    tex = chapters["Math"]
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


def test_the_rule_above_footnotes_goes(chapters: dict[str, str]) -> None:
    """Catches a rule across the page, above footnotes that went elsewhere."""
    assert "A note." in chapters["Notes"]
    assert r"\hrule" not in chapters["Notes"]
