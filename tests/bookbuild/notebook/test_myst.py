"""Directives and leftovers in MyST text."""

import pytest
from myst_parser.config.main import MdParserConfig

from bookbuild.notebook import myst

CONFIG = MdParserConfig(
    enable_extensions={"colon_fence", "dollarmath", "substitution"}
)


def only_directive(text):
    found = map(myst.directive_of, myst.block_tokens(text, CONFIG))
    (directive,) = [each for each in found if each is not None]
    return directive


@pytest.mark.parametrize(
    "options",
    [":name: fig-x\n:alt: A line.", "---\nname: fig-x\nalt: A line.\n---"],
)
@pytest.mark.parametrize("fence", ["```", ":::"])
def test_both_fences_and_both_option_styles_are_read(options, fence):
    """A directive that is not recognised would end up in the notebook."""
    text = f"{fence}{{glue:figure}} x\n{options}\n\nA caption.\n{fence}\n"
    directive = only_directive(text)
    assert directive.name == "glue:figure"
    assert directive.argument == "x"
    assert directive.options == {"name": "fig-x", "alt": "A line."}
    assert directive.body == "A caption."


def test_a_plain_fence_is_no_directive():
    """Python's braces in an info string are not a directive's name."""
    tokens = myst.block_tokens("```python\n{x}\n```\n", CONFIG)
    assert [myst.directive_of(token) for token in tokens] == [None]


@pytest.mark.parametrize(
    "text",
    [
        "{ref}`x`",
        "- item {cite}`x`",
        "(label)=\n# Title",
        "```{note}\nx\n```",
        ":::{note}\nx\n:::",
        ":::box\nx\n:::",
        "% comment",
        "a {{ x }} b",
        "$$\nx\n$$ (eq-x)",
    ],
)
def test_each_kind_of_leftover_is_found(text):
    """The export promises plain Markdown; this check keeps it honest."""
    assert myst.leftovers(text, CONFIG)


@pytest.mark.parametrize(
    "text",
    [
        "``{ref}`x` ``",
        "```python\n{ref}`x`\n```",
        "$$\nx\n$$",
        "# Title\n\n> quote\n\n| a |\n| --- |\n| b |",
    ],
)
def test_plain_markdown_leaves_nothing_over(text):
    """A page about MyST quotes its syntax in code, which is fine."""
    assert myst.leftovers(text, CONFIG) == []
