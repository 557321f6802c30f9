"""Directives in plain Markdown, one by one."""

import pytest

from bookbuild.notebook.directives import included_lines, plain_directive
from bookbuild.notebook.myst import Directive
from bookbuild.notebook.plain import PlainMarkdown


@pytest.fixture
def say(context, parser):
    writer = PlainMarkdown(context, parser)

    def say(name, argument="", body="", /, **options):
        directive = Directive(
            name=name, argument=argument, options=options, body=body
        )
        return plain_directive(directive, writer)

    return say


def test_admonitions_become_quotes_with_a_title(say):
    """The first words of a note may stand on the directive's line."""
    assert say("note", "", "x\n\ny") == "> **Note**\n>\n> x\n>\n> y"
    assert say("tip", "first", "x") == "> **Tip**\n>\n> first\n> x"
    assert say("admonition", "Why", "x") == "> **Why**\n>\n> x"
    assert say("epigraph", "", "x") == "> x"
    assert say("prf:theorem", "Euler", "x").startswith("> **Theorem (Euler)**")
    assert say("prf:proof", "", "x") == "> **Proof**\n>\n> x"


def test_figures_keep_picture_number_and_legend(say):
    """The caption is what {numref} points at."""
    expected = "![A line.](../x.png)\n\n**Figure 1.2.** *It falls.*\n\nMore."
    options = {"name": "fig-x", "alt": "A line."}
    assert say("figure", "../x.png", "It falls.\n\nMore.", **options) == (
        expected
    )
    assert say("glue:figure", "x", "It *falls*.", name="fig-x") == (
        "**Figure 1.2.** It *falls*."
    )
    assert say("image", "../x.png", alt="A line.") == "![A line.](../x.png)"


def test_math_is_displayed_aligned_and_numbered(say):
    """Jupyter knows $$ and \\tag, not the directive."""
    assert say("math", "", "x", label="eq-x") == "$$\nx\n\\tag{1.3}\n$$"
    assert say("math", "x", "y") == "$$\nx\ny\n$$"
    aligned = say("math", "", "a &= b \\\\\nc &= d")
    assert aligned.startswith("$$\n\\begin{aligned}\na &= b")


def test_listings_keep_language_and_caption(say):
    """A fence inside the code must not end the listing."""
    assert say("code-block", "console", "$ ls") == "```console\n$ ls\n```"
    captioned = say("code", "python", "x", caption="Ours.", name="list-x")
    assert captioned == "```python\nx\n```\n\n**Listing 1.1.** *Ours.*"
    assert say("code", "md", "```\nx\n```").startswith("````md\n```")


def test_literalinclude_quotes_one_object(say, tiny_book):
    """The notebook stands alone, so it carries the source itself."""
    tiny_book.write(
        "lib/scratchlm/text/tokenizer/bpe.py",
        "def f():\n    return 1\n\n\nx = 2\n",
    )
    path = "../../lib/scratchlm/text/tokenizer/bpe.py"
    assert say("literalinclude", path, pyobject="f") == (
        "```python\ndef f():\n    return 1\n```"
    )
    assert say("literalinclude", path, lines="5", language="text") == (
        "```text\nx = 2\n```"
    )


@pytest.mark.parametrize("options", [{"pyobject": "g"}, {}])
def test_a_missing_source_is_an_error(tmp_path, options):
    """A renamed function must fail the build, not vanish from the page."""
    path = tmp_path / "bpe.py"
    if options:
        path.write_text("def f(): ...\n")
    with pytest.raises(ValueError, match=r"bpe\.py|'g'"):
        included_lines(path, options)


def test_the_page_that_quotes_a_missing_source_is_named(say):
    """The path alone does not say which chapter to mend."""
    with pytest.raises(ValueError, match=r"book/text/one\.md quotes"):
        say("literalinclude", "nowhere.py")


def test_tables_get_their_caption_above(say):
    """Table directives wrap a Markdown table, a list, or commas."""
    table = "| a |\n| --- |\n| {eq}`eq-x` |"
    assert say("table", "Letters.", table, name="tab-x") == (
        "**Table 1.1.** *Letters.*\n\n| a |\n| --- |\n| (1.3) |"
    )
    assert "| b |" in say("list-table", "", "* - a\n* - b")
    assert "| b |" in say("csv-table", "", "a\nb")


def test_exercises_and_solutions_fold(say):
    """A visible solution spoils the exercise."""
    assert say("exercise", "Break it", "Do.", label="ex-x") == (
        "#### Exercise 1.4 (Break it)\n\nDo."
    )
    assert say("exercise", "", "Do.") == "#### Exercise\n\nDo."
    assert say("solution", "ex-x", "Done.") == (
        "<details><summary>Solution to Exercise 1.4</summary>\n\n"
        "Done.\n\n</details>"
    )


def test_boxes_are_opened_and_silent_ones_left_out(say):
    """Layout means nothing in a notebook; its contents do."""
    assert say("dropdown", "More of it", "x") == (
        "<details><summary>More of it</summary>\n\nx\n\n</details>"
    )
    assert say("container", "wide", "{eq}`eq-x`") == "(1.3)"
    assert say("rubric", "Sources") == "**Sources**"
    assert say("glue:text", "ratio:.1f") == "1.2"
    assert say("index", "merge") == ""
    assert say("exercise-end") == ""


def test_an_unknown_directive_is_an_error(say):
    """A dropped figure is worse than a failed build."""
    with pytest.raises(ValueError, match=r"directive \{sparkle\}"):
        say("sparkle")
