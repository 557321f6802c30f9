"""The spine of a chapter, and the cells on it."""

import ast
import re
import statistics
from textwrap import dedent, indent

import nbformat
import pytest
from sphinx.util import parselinenos

from bookbuild.contents import code_cells
from bookbuild.notebook.directives import included_lines
from bookbuild.notebook.myst import block_tokens, directive_of

SPINE = (
    *("promise", "failure", "shapes", "idea", "by-hand", "as-shipped"),
    *("same", "cost", "experiment", "traps", "summary", "exercises"),
    "sources",
)
MAX_CELL = 25
MEDIAN_CELL = 8
MAX_OUTPUT = 40
COLUMNS = 79
FETCH = re.compile(
    r"^\s*[!%]\s*(pip|conda|apt|wget|curl)\b|urlretrieve|urlopen"
    r"|requests\.get|load_dataset\(|hf_hub_download|snapshot_download",
    re.M,
)
DRAWS = re.compile(r"style\.figure\(|plt\.(subplots|figure)\(|Diagram\(")
TEST = re.compile(r"`(?P<path>tests/[\w/]+\.py)::(?P<name>\w+)`")
FIGURES = {"figure", "glue:figure", "image"}


def text_of(notebook):
    return "\n\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "markdown"
    )


def directives(text, parser):
    for token in block_tokens(text, parser):
        directive = directive_of(token)
        if directive is not None:
            yield directive
            yield from directives(directive.body, parser)


def spine_of(name, text):
    stem = re.escape(name.rpartition("/")[2])
    targets = re.findall(rf"^\({stem}-([\w-]+)\)=$", text, re.M)
    return tuple(target for target in targets if target in SPINE)


def cell_complaints(notebook):
    sources = [cell.source for cell in code_cells(notebook)]
    lengths = [len(source.splitlines()) for source in sources]
    found = [f"{n} lines in a cell" for n in lengths if n > MAX_CELL]
    if lengths and statistics.median(lengths) > MEDIAN_CELL:
        found.append(f"median cell of {statistics.median(lengths)} lines")
    for source in sources:
        found += [
            f"wide line: {line}"
            for line in source.splitlines()
            if len(line) > COLUMNS
        ]
        found += [f"fetches: {m[0]}" for m in FETCH.finditer(source)]
    return found


def figure_complaints(notebook, parser):
    found = []
    for each in directives(text_of(notebook), parser):
        if each.name in FIGURES and not each.options.get("alt"):
            found.append(f"{each.argument} has no alt text")
        if each.name in FIGURES - {"image"} and not each.body.strip():
            found.append(f"{each.argument} has no caption")
    captioned = sum(
        each.name == "glue:figure"
        for each in directives(text_of(notebook), parser)
    )
    for cell in code_cells(notebook):
        shown = cell.metadata.get("mystnb", {})
        captioned += "figure" in shown
        captioned -= bool(DRAWS.search(cell.source))
        if "figure" in shown:
            if not shown["figure"].get("caption"):
                found.append(f"no caption: {cell.source[:40]!r}")
            if not shown.get("image", {}).get("alt"):
                found.append(f"no alt text: {cell.source[:40]!r}")
    if captioned < 0:
        found.append(f"{-captioned} figures are drawn but have no caption")
    return found


def missing_tests(text, root):
    found = []
    for path, name in TEST.findall(text):
        file = root / path
        names = set()
        if file.is_file():
            tree = ast.parse(file.read_text("utf8"))
            names = {
                node.name
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef)
            }
        if name not in names:
            found.append(f"{path}::{name}")
    return found


def parts_of(source):
    """The lines of a definition that a page may leave out, part by part."""
    node = ast.parse(dedent(source)).body[0]
    first = node.body[0]
    lines = source.splitlines()
    parts = [
        {number} for number, line in enumerate(lines, 1) if not line.strip()
    ]
    parts += [
        {*range(each.lineno, each.end_lineno + 1)}
        for each in node.decorator_list
    ]
    parts.append({*range(node.lineno, first.lineno)})
    if ast.get_docstring(node) is not None:
        parts.append({*range(first.lineno, first.end_lineno + 1)})
    return parts


def cut_badly(source, lines):
    """Which lines a quote leaves out, though not with all of their part."""
    n_lines = len(source.splitlines())
    shown = {1 + i for i in parselinenos(lines, n_lines)}
    hidden = {*range(1, n_lines + 1)} - shown
    whole = [part for part in parts_of(source) if part <= hidden]
    return sorted(hidden.difference(*whole))


def quoted_in_part(notebook, folder, parser):
    for each in directives(text_of(notebook), parser):
        if each.name == "literalinclude" and "lines" in each.options:
            lines = each.options["lines"]
            options = {k: v for k, v in each.options.items() if k != "lines"}
            path = (folder / each.argument).resolve()
            yield options["pyobject"], included_lines(path, options), lines


def quote_complaints(notebook, folder, parser):
    return [
        f"{name}, lines {lines}, leaves out {bad}"
        for name, source, lines in quoted_in_part(notebook, folder, parser)
        if (bad := cut_badly(source, lines))
    ]


def unstable_checks(notebook):
    return [
        cell.source
        for cell in code_cells(notebook)
        if "nbval-check-output" in cell.metadata.get("tags", [])
        and (DRAWS.search(cell.source) or "glue(" in cell.source)
    ]


def each_page(notebooks, check):
    return [
        f"book/{name}.md: {complaint}"
        for name, notebook in notebooks.items()
        for complaint in check(notebook)
    ]


def test_each_chapter_has_the_spine_in_order(chapters):
    """A reader always knows where they stand."""
    spines = {name: spine_of(name, text_of(c)) for name, c in chapters.items()}
    assert spines == dict.fromkeys(spines, SPINE)


def test_cells_are_short_narrow_and_offline(lessons):
    """A long cell is a listing, not a step; the reader stops running it."""
    found = each_page(lessons, cell_complaints)
    assert not found, "\n".join(found)


def test_each_figure_has_a_caption_and_alt_text(notebooks, parser):
    """A figure without a claim is decoration; without alt text, a hole."""
    found = each_page(notebooks, lambda c: figure_complaints(c, parser))
    assert not found, "\n".join(found)


def test_each_test_that_a_page_names_exists(notebooks, root):
    """A trap whose test was renamed guards nothing any more."""
    found = each_page(notebooks, lambda c: missing_tests(text_of(c), root))
    assert not found, "\n".join(found)


def test_each_chapter_has_its_traps_tested(chapters):
    """Two or three real bugs, each with the test that catches it."""
    for name, chapter in chapters.items():
        stem = name.rpartition("/")[2]
        _, _, rest = text_of(chapter).partition(f"({stem}-traps)=")
        traps, _, _ = rest.partition(f"({stem}-summary)=")
        assert len(set(TEST.findall(traps))) >= 2, name


def test_each_quoted_source_exists(notebooks, root, parser):
    """A renamed function must be found here, not by a build minutes on."""
    for name, notebook in notebooks.items():
        folder = (root / "book" / name).parent
        for each in directives(text_of(notebook), parser):
            if each.name == "literalinclude":
                path = (folder / each.argument).resolve()
                assert included_lines(path, each.options)


def test_quotes_leave_out_nothing_but_docstrings(notebooks, root, parser):
    """A docstring grew by a line, and the page quotes the end of it, or has
    lost the first lines of the code."""
    found = [
        f"book/{name}.md: {complaint}"
        for name, notebook in notebooks.items()
        for complaint in quote_complaints(
            notebook, (root / "book" / name).parent, parser
        )
    ]
    assert not found, "\n".join(found)


def test_checked_outputs_hold_still(notebooks):
    """A picture's bytes differ between machines, so nbval must not look."""
    found = each_page(notebooks, unstable_checks)
    assert not found, "\n".join(found)


def page(*cells):
    v4 = nbformat.v4
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell(cell) if isinstance(cell, str) else cell
            for cell in cells
        ]
    )


def code(source, **metadata):
    return nbformat.v4.new_code_cell(source, metadata=metadata)


@pytest.mark.parametrize(
    "source", ["x\n" * 26, "x\n" * 9, "x" * 80, "!pip install x", "urlopen(u)"]
)
def test_a_bad_cell_is_found(source):
    """A rule that finds nothing in a bad sample guards nothing."""
    assert cell_complaints(page(code(source)))


@pytest.mark.parametrize(
    "cell",
    [
        "```{figure} x.png\n:alt: x\n```",
        "```{glue:figure} x\nCaption.\n```",
        "````{note}\n```{image} x.png\n```\n````",
        code("x", mystnb={"figure": {"caption": "x"}}),
        code("x", mystnb={"figure": {}, "image": {"alt": "x"}}),
        code("fig, ax = plt.subplots()"),
    ],
)
def test_a_bare_figure_is_found(cell, parser):
    """Each way to show a figure can leave something out."""
    assert figure_complaints(page(cell), parser)


SAMPLE = '''@cache
def f(
    x,
):
    """Return x.

    Args:
        x: a number.
    """
    y = x

    return y
'''


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        ("1-", []),
        ("2-4, 10-", []),
        ("1-9, 10, 12", []),
        ("10-", []),
        ("1-4, 9-", [5, 7, 8]),
        ("1-5, 10-", [7, 8, 9]),
        ("3-4, 10-", [2]),
        ("1-4, 11-", [10]),
        ("1-4, 10-11", [12]),
    ],
)
def test_a_badly_cut_quote_is_found(lines, bad):
    """A docstring and a signature are left out whole or not at all."""
    assert cut_badly(SAMPLE, lines) == bad
    assert cut_badly(indent(SAMPLE, "    "), lines) == bad


def test_missing_parts_and_tests_are_found(root):
    """The spine by its targets, a test by file and by name."""
    assert spine_of("text/x", "(x-promise)=\n(x-idea)=") == ("promise", "idea")
    here = "tests/house/test_chapters.py"
    assert missing_tests(f"`{here}::test_nothing`", root)
    assert missing_tests("`tests/nowhere.py::test_nothing`", root)
    known = "test_missing_parts_and_tests_are_found"
    assert missing_tests(f"`{here}::{known}`", root) == []
    tags = ["nbval-check-output"]
    assert unstable_checks(page(code("glue(x=1)", tags=tags)))


def lines_shown(output):
    """How many lines of a page the text of an output takes."""
    data = output.get("data", {})
    if set(data) & {"image/svg+xml", "text/markdown", "text/html"}:
        return 0
    return str(output.get("text") or data.get("text/plain", "")).count("\n")


def test_outputs_fit_a_page(root):
    """A last line that was meant to work, not to show, and prints a list of
    thousands of numbers over a hundred pages of the PDF."""
    built = sorted((root / "_build" / "notebooks").rglob("*.ipynb"))
    if not built:
        pytest.skip("no notebooks in _build; run `make book` first")
    for path in built:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                shown = lines_shown(output)
                assert shown <= MAX_OUTPUT, f"{path}: {shown}\n{cell.source}"
