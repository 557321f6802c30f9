"""Numbers of figures, tables, equations, exercises and sections."""

from textwrap import dedent

import nbformat
import pytest

from bookbuild.contents import Page
from bookbuild.notebook.labels import PageLabels

TEXT = """\
    (top)=
    # One

    (first)=
    ## First

    ```{glue:figure} x
    :name: fig-a

    A caption.
    ```

    ### Below

    (second)=
    ## Second *part*

    ````{note}
    (tab-a)=
    ```{table} Letters
    | a |
    | --- |
    ```
    ````

    $$
    a
    $$ (eq-a)

    ```{math}
    :label: eq-b
    b
    ```

    \\begin{align}
    c &= d
    \\end{align}

    ```{math}
    :label: eq-c
    c
    ```

    (nothing)=
    A paragraph takes the label above it.

    ```{exercise} Break it
    :label: ex-a
    Do.
    ```

    ```{exercise}
    :label: ex-b
    :nonumber:
    Do.
    ```

    ```{code-block} python
    :caption: Ours.
    :name: list-a
    x
    ```
    """


@pytest.fixture
def read(parser, tmp_path):
    def read(chapter):
        page = Page(name="one", path=tmp_path / "one.md", chapter=chapter)
        figure = {"mystnb": {"figure": {"caption": "x", "name": "fig-b"}}}
        v4 = nbformat.v4
        cells = [
            v4.new_markdown_cell(dedent(TEXT)),
            v4.new_code_cell("1", metadata=figure),
            v4.new_raw_cell("x"),
        ]
        notebook = v4.new_notebook(cells=cells)
        return PageLabels(page, parser).read(notebook)

    return read


def test_numbers_are_those_of_the_html(read):
    """A notebook that says Figure 1.1 for Figure 1.2 misleads."""
    names = {name: label.name for name, label in read(3).items()}
    assert names == {
        "top": "Section 3",
        "first": "Section 3.1",
        "second": "Section 3.2",
        "fig-a": "Figure 3.1",
        "fig-b": "Figure 3.2",
        "tab-a": "Table 3.1",
        "eq-a": "Equation 3.1",
        "eq-b": "Equation 3.2",
        "eq-c": "Equation 3.4",
        "ex-a": "Exercise 3.1",
        "ex-b": "Exercise",
        "list-a": "Listing 3.1",
    }


def test_front_matter_counts_without_a_chapter(read):
    """ "Table None.1" was once printed on the notation page."""
    labels = read(None)
    assert labels["tab-a"].name == "Table 1"
    assert labels["second"].name == "Section"
    assert labels["second"].title == "Second *part*"
    assert labels["ex-a"].title == "Break it"
