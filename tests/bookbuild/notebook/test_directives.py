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


def test_figures_keep_number_and_legend(say):
    """The caption is what {numref} points at."""
    assert say("glue:figure", "x", "It falls.\n\nMore.", name="fig-x") == (
        "**Figure 1.2.** *It falls.*\n\nMore."
    )
    assert say("glue:figure", "x", "It *falls*.", name="fig-x") == (
        "**Figure 1.2.** It *falls*."
    )


def test_math_is_displayed_aligned_and_numbered(say):
    """Jupyter knows $$ and \\tag, not the directive."""
    assert say("math", "", "x", label="eq-x") == "$$\nx\n\\tag{1.3}\n$$"
    assert say("math", "x", "y") == "$$\nx\ny\n$$"
    aligned = say("math", "", "a &= b \\\\\nc &= d")
    assert aligned.startswith("$$\n\\begin{aligned}\na &= b")


def test_listings_keep_language_and_caption(say):
    """A fence inside the code must not end the listing."""
    assert say("code-block", "console", "$ ls") == "```console\n$ ls\n```"
    captioned = say(
        "code-block", "python", "x", caption="Ours.", name="list-x"
    )
    assert captioned == "```python\nx\n```\n\n**Listing 1.1.** *Ours.*"
    assert say("code-block", "md", "```\nx\n```").startswith("````md\n```")


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
    """A table that a page refers to by number must bear it."""
    table = "| a |\n| --- |\n| {eq}`eq-x` |"
    assert say("table", "Letters.", table, name="tab-x") == (
        "**Table 1.1.** *Letters.*\n\n| a |\n| --- |\n| (1.3) |"
    )
    assert say("table", "", "| a |\n| --- |") == "| a |\n| --- |"


def test_exercises_have_a_number_and_a_name(say):
    """A solution names its exercise by both."""
    assert say("exercise", "Break it", "Do.", label="ex-x") == (
        "#### Exercise 1.4 (Break it)\n\nDo."
    )
    assert say("exercise", "", "Do.") == "#### Exercise\n\nDo."


def test_a_solution_opens_and_closes_a_fold(say, context):
    """A visible solution spoils the exercise."""
    assert say("solution-start", "ex-x", class_="dropdown") == (
        "<details><summary>Solution to Exercise 1.4</summary>"
    )
    assert context.in_solution
    assert say("solution-end") == "</details>"
    assert not context.in_solution


def test_an_index_entry_shows_nothing(say):
    """A notebook has no index to point from."""
    assert say("index", "merge") == ""


def test_an_unknown_directive_is_an_error(say):
    """A dropped figure is worse than a failed build."""
    with pytest.raises(ValueError, match=r"directive \{sparkle\}"):
        say("sparkle")
