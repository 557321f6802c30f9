"""Say in plain Markdown what each MyST directive shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sphinx.config import Config
from sphinx.directives.code import LiteralInclude, LiteralIncludeReader

from bookbuild.notebook.inline import Context
from bookbuild.notebook.myst import Directive
from bookbuild.notebook.tables import csv_table, list_table

SILENT = {
    "bibliography",  # each notebook ends with the works that it cites
    "contents",
    "index",
    "only",
    "raw",
    "tableofcontents",
    "toctree",
}
QUOTES = {"epigraph", "highlights", "margin", "pull-quote", "sidebar"}
QUOTES |= {"admonition", "topic"}
TITLES = {"seealso": "See also"} | {
    name: name.capitalize()
    for name in (
        *("attention", "caution", "danger", "error", "hint", "important"),
        *("note", "tip", "warning"),
    )
}


@runtime_checkable
class Writer(Protocol):
    """What a directive needs to translate its contents."""

    context: Context

    def text(self, text: str) -> str:
        """Translate a run of blocks."""

    def inline(self, text: str) -> str:
        """Translate the inside of a line."""


def plain_directive(directive: Directive, writer: Writer) -> str:
    """Return what a directive shows, as plain Markdown.

    Args:
        directive: what the author wrote.
        writer: translates its contents.

    Raises:
        ValueError: there is no translation for this directive.
    """
    name = directive.name
    if name in SILENT:
        return ""
    if name in TITLES or name in QUOTES:
        return _admonition(directive, writer)
    if name.startswith("prf:"):
        return _proof(directive, writer)
    if name in DIRECTIVES:
        return DIRECTIVES[name](directive, writer)
    raise ValueError(
        f"book/{writer.context.page.name}.md uses the directive {{{name}}}, "
        "for which there is no plain wording; add one in "
        "bookbuild.notebook.directives"
    )


def quote(title: str, body: str) -> str:
    """Return a blockquote with a bold title.

    Args:
        title: may be empty.
        body: plain Markdown.
    """
    heading = f"**{title}**\n\n" if title else ""
    lines = f"{heading}{body}".strip().split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def equation(math: str, number: str) -> str:
    """Return a displayed equation.

    Args:
        math: LaTeX.
        number: may be empty.
    """
    tag = f"\n\\tag{{{number}}}" if number else ""
    return f"$$\n{math}{tag}\n$$"


def caption(name: str, text: str, writer: Writer) -> str:
    """Return a caption behind its number, in italics.

    Args:
        name: label of what it captions; may be empty.
        text: plain Markdown; what follows its first paragraph is a legend.
        writer: knows the number.
    """
    first, _, legend = text.partition("\n\n")
    if first and not re.search(r"[*_]", first):
        first = f"*{first}*"
    number = f"**{writer.context.label(name).name}.** " if name else ""
    return f"{number}{first}\n\n{legend}".strip()


def included_lines(path: Path, options: dict[str, str]) -> str:
    """Return what ``literalinclude`` would show.

    Args:
        path: the file.
        options: of the directive; ``pyobject``, ``lines``, ...

    Raises:
        ValueError: the file or the object in it does not exist.
    """
    known = LiteralInclude.option_spec
    assert known is not None
    parsed: dict[str, Any] = {
        key: known[key](value or None)  # type: ignore[arg-type]
        for key, value in options.items()
    }
    try:
        reader = LiteralIncludeReader(str(path), parsed, Config())
        text, _ = reader.read()
    except OSError as error:
        raise ValueError(str(error)) from error
    return str(text).strip("\n")


def _admonition(directive: Directive, writer: Writer) -> str:
    title = TITLES.get(directive.name, "")
    body = writer.text(directive.body)
    argument = writer.inline(directive.argument)
    if title and argument:  # {note} takes its first words there
        body = f"{argument}\n{body}".strip()
    return quote(title or argument, body)


def _proof(directive: Directive, writer: Writer) -> str:
    kind = directive.name.removeprefix("prf:").capitalize()
    title = writer.inline(directive.argument)
    heading = f"{kind} ({title})" if title else kind
    return quote(heading, writer.text(directive.body))


def _figure(directive: Directive, writer: Writer) -> str:
    alt = directive.options.get("alt", "")
    picture = f"![{alt}]({directive.argument})"
    return f"{picture}\n\n{_glued_figure(directive, writer)}".strip()


def _glued_figure(directive: Directive, writer: Writer) -> str:
    name = directive.options.get("name", "")
    return caption(name, writer.text(directive.body), writer)


def _glued(directive: Directive, writer: Writer) -> str:
    return writer.context.glued_text(directive.argument)


def _math(directive: Directive, writer: Writer) -> str:
    math = "\n".join(filter(None, [directive.argument, directive.body]))
    if "\\\\" in math and "\\begin" not in math:
        math = f"\\begin{{aligned}}\n{math}\n\\end{{aligned}}"
    name = directive.options.get("label", "")
    return equation(math, writer.context.label(name).number if name else "")


def _listing(
    directive: Directive, language: str, code: str, to: Writer
) -> str:
    fence = "````" if "```" in code else "```"
    block = f"{fence}{language}\n{code}\n{fence}"
    text = to.inline(directive.options.get("caption", ""))
    if not text:
        return block
    return f"{block}\n\n{caption(directive.options.get('name', ''), text, to)}"


def _code(directive: Directive, writer: Writer) -> str:
    return _listing(directive, directive.argument, directive.body, writer)


def _literalinclude(directive: Directive, writer: Writer) -> str:
    page = writer.context.page
    path = page.path.parent / directive.argument
    try:
        code = included_lines(path.resolve(), directive.options)
    except ValueError as error:
        raise ValueError(
            f"book/{page.name}.md quotes {path}: {error}"
        ) from error
    default = "python" if path.suffix == ".py" else ""
    language = directive.options.get("language", default)
    return _listing(directive, language, code, writer)


def _table(directive: Directive, writer: Writer) -> str:
    body = directive.body
    if directive.name == "list-table":
        body = list_table(body, directive.options)
    elif directive.name == "csv-table":
        body = csv_table(body, directive.options)
    name = directive.options.get("name", "")
    title = writer.inline(directive.argument)
    above = caption(name, title, writer) if title else ""
    return f"{above}\n\n{writer.text(body)}".strip()


def _exercise(directive: Directive, writer: Writer) -> str:
    name = directive.options.get("label", "")
    number = writer.context.label(name).name if name else "Exercise"
    title = writer.inline(directive.argument)
    heading = f"#### {number} ({title})" if title else f"#### {number}"
    return f"{heading}\n\n{writer.text(directive.body)}".strip()


def _solution(directive: Directive, writer: Writer) -> str:
    exercise = writer.context.label(directive.argument).name
    return _fold(f"Solution to {exercise}", writer.text(directive.body))


def _solution_start(directive: Directive, writer: Writer) -> str:
    writer.context.in_solution = True
    return _solution(directive, writer).removesuffix("</details>").strip()


def _solution_end(_: Directive, writer: Writer) -> str:
    writer.context.in_solution = False
    return "</details>"


def _dropdown(directive: Directive, writer: Writer) -> str:
    title = writer.inline(directive.argument) or "More"
    return _fold(title, writer.text(directive.body))


def _fold(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _box(directive: Directive, writer: Writer) -> str:
    return writer.text(directive.body)


def _rubric(directive: Directive, writer: Writer) -> str:
    return f"**{writer.inline(directive.argument)}**"


DIRECTIVES: dict[str, Callable[[Directive, Writer], str]] = {
    "code": _code,
    "code-block": _code,
    "container": _box,
    "csv-table": _table,
    "div": _box,
    "dropdown": _dropdown,
    "exercise": _exercise,
    "exercise-end": lambda *_: "",
    "exercise-start": _exercise,
    "figure": _figure,
    "glossary": _box,
    "glue": _glued,
    "glue:": _glued,
    "glue:figure": _glued_figure,
    "glue:text": _glued,
    "image": _figure,
    "list-table": _table,
    "literalinclude": _literalinclude,
    "math": _math,
    "rubric": _rubric,
    "solution": _solution,
    "solution-end": _solution_end,
    "solution-start": _solution_start,
    "sourcecode": _code,
    "table": _table,
}
