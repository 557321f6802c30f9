"""Whole cells in plain Markdown."""

from textwrap import dedent

import pytest

from bookbuild.notebook.plain import PlainMarkdown

MYST = """\
See {eq}`eq-x`
and {numref}`fig-x`.

> A quote with {eq}`eq-x`
> and {glue:text}`ratio`.

- item {eq}`eq-x`

  ```{exercise}
  In {eq}`eq-x`.
  ```

| a | {eq}`eq-x` |
| - | - |
| `{eq}` | b |

```python
{eq}`eq-x`
```
"""

PLAIN = """\
See (1.3)
and Figure 1.2.

> A quote with (1.3)
> and 1.25.

- item (1.3)

  #### Exercise

  In (1.3).

| a | (1.3) |
| - | - |
| `{eq}` | b |

```python
{eq}`eq-x`
```"""


@pytest.fixture
def plain(context, parser):
    writer = PlainMarkdown(context, parser)
    return lambda text: writer.cell(dedent(text))


def test_targets_and_comments_vanish_without_a_gap(plain):
    """A label line would stand above its heading as text."""
    text = "(one)=\n# One\n\n% a comment\n\nProse.\n"
    assert plain(text) == "# One\n\nProse."


def test_prose_around_a_directive_keeps_its_lines(plain):
    """Line ranges of nested tokens overlap; each line is written once."""
    assert plain(MYST) == PLAIN


def test_labelled_equations_keep_their_number(plain):
    """``$$ (label)`` is MyST, though it looks plain."""
    assert plain("$$\nx\n$$ (eq-x)\n") == "$$\nx\n\\tag{1.3}\n$$"
    amsmath = "\\begin{align}\nx &= \\{y\\}\n\\end{align}"
    assert plain(amsmath) == amsmath


def test_a_solution_is_folded_in_each_of_its_cells(plain):
    """<details> cannot reach across cells, so each opens its own."""
    start = "```{solution-start} ex-x\n:class: dropdown\n```\n\nFirst."
    end = "Last.\n\n```{solution-end}\n```\n\nAfter."
    assert plain(start) == (
        "<details><summary>Solution to Exercise 1.4</summary>\n\n"
        "First.\n\n</details>"
    )
    assert plain(end) == (
        "<details><summary>Solution, continued</summary>\n\n"
        "Last.\n\n</details>\n\nAfter."
    )
    assert plain("Free.") == "Free."


def test_a_solution_of_code_alone_says_where_it_is(plain):
    """An empty fold would look like a missing solution."""
    start = "```{solution-start} ex-x\n```"
    assert plain(start) == (
        "**Solution to Exercise 1.4**, in the folded cells below."
    )
    assert plain("```{solution-end}\n```") == ""


def test_syntax_without_a_translation_is_an_error(plain, parser):
    """The exporter checks its own result with the MyST parser."""
    with pytest.raises(ValueError, match="no plain Markdown for"):
        plain("a {{ value }} b")
