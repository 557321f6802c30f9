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
    if directive.name not in DIRECTIVES:
        raise ValueError(
            f"book/{writer.context.page.name}.md uses the directive "
            f"{{{directive.name}}}, for which there is no plain wording; add "
            "one in bookbuild.notebook.directives"
        )
    return DIRECTIVES[directive.name](directive, writer)


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


def _glued_figure(directive: Directive, writer: Writer) -> str:
    name = directive.options.get("name", "")
    return caption(name, writer.text(directive.body), writer)


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
    name = directive.options.get("name", "")
    title = writer.inline(directive.argument)
    above = caption(name, title, writer) if title else ""
    return f"{above}\n\n{writer.text(directive.body)}".strip()


def _exercise(directive: Directive, writer: Writer) -> str:
    name = directive.options.get("label", "")
    number = writer.context.label(name).name if name else "Exercise"
    title = writer.inline(directive.argument)
    heading = f"#### {number} ({title})" if title else f"#### {number}"
    return f"{heading}\n\n{writer.text(directive.body)}".strip()


def _solution_start(directive: Directive, writer: Writer) -> str:
    writer.context.in_solution = True
    exercise = writer.context.label(directive.argument).name
    return f"<details><summary>Solution to {exercise}</summary>"


def _solution_end(_: Directive, writer: Writer) -> str:
    writer.context.in_solution = False
    return "</details>"


DIRECTIVES: dict[str, Callable[[Directive, Writer], str]] = {
    "code-block": _code,
    "exercise": _exercise,
    "glue:figure": _glued_figure,
    "index": lambda *_: "",
    "literalinclude": _literalinclude,
    "math": _math,
    "solution-end": _solution_end,
    "solution-start": _solution_start,
    "table": _table,
}
