"""Say in plain Markdown what MyST says inside a line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from myst_nb.core.variables import format_plain_text

from bookbuild.contents import Page
from bookbuild.notebook.citations import Citations
from bookbuild.notebook.labels import Label

INLINE = re.compile(
    r"""
      (?P<escaped>\\.)
    | \{(?P<role>[A-Za-z][\w:.+-]*)\}
      (?P<tick>`+)(?P<body>.+?)(?<!`)(?P=tick)(?!`)
    | (?P<code>(?P<run>`+)(?!`).+?(?<!`)(?P=run)(?!`))
    | (?P<math>\$\$.+?\$\$ | \$(?!\s)[^$]+?(?<!\s)\$(?!\d))
    | \[(?:[^\[\]`]|`[^`]*`)*\]\((?P<local>(?![^)\s]*://)[^)\s]+)\)
    | (?P<project><project:[^>]+>)
    """,
    re.X | re.S,
)
TITLED = re.compile(r"(?P<title>.*?)\s*<(?P<target>[^>]+)>", re.S)


@dataclass(kw_only=True)
class Context:
    """What the text of one page may refer to.

    Args:
        page: the page.
        glued: output of each glued name, as myst-nb stores it.
        labels: of all pages.
        titles: of all pages, by name.
        notebooks: names of the pages that are exported.
        citations: the bibliography; collects what the page cites.
    """

    page: Page
    glued: Mapping[str, Any]
    labels: Mapping[str, Label]
    titles: Mapping[str, str]
    notebooks: frozenset[str]
    citations: Citations
    in_solution: bool = field(default=False)

    def label(self, name: str) -> Label:
        """Look a label up.

        Raises:
            ValueError: no page defines it.
        """
        if name not in self.labels:
            raise ValueError(
                f"book/{self.page.name}.md refers to {name!r}, which no "
                "page defines; add the label, or correct the name"
            )
        return self.labels[name]

    def glued_text(self, key: str) -> str:
        """Return a glued value as the page formats it.

        Args:
            key: ``name`` or ``name:format``.

        Raises:
            ValueError: no cell of the page glues it.
        """
        name, _, form = key.partition(":")
        if name not in self.glued:
            raise ValueError(
                f"book/{self.page.name}.md quotes {name!r}, which none of "
                "its cells glues"
            )
        text = self.glued[name].data["text/plain"]
        return str(format_plain_text(text, form or "s"))


def plain_inline(text: str, context: Context) -> str:
    """Replace roles and links that plain Markdown does not know.

    Args:
        text: one block of MyST Markdown, code and directives aside.
        context: what it may refer to.
    """

    def replace(match: re.Match[str]) -> str:
        if match["role"]:
            body = " ".join(match["body"].split())
            return _role(match["role"], body, context)
        if match["local"] or match["project"]:
            raise ValueError(
                f"book/{context.page.name}.md has {match[0]!r}, which leads "
                "nowhere from a notebook; use {doc}, {ref} or {glue:figure}"
            )
        return match["code"] or match[0]

    return INLINE.sub(replace, text)


def _role(name: str, body: str, context: Context) -> str:
    if name not in ROLES:
        raise ValueError(
            f"book/{context.page.name}.md uses the role {{{name}}}, for which "
            "there is no plain wording; add one in bookbuild.notebook.inline"
        )
    return ROLES[name](body, context)


def _reference(body: str, context: Context) -> str:
    titled = TITLED.fullmatch(body)
    if titled:
        context.label(titled["target"])
        return titled["title"]
    label = context.label(body)
    if label.kind == "section":
        return plain_inline(label.title, context)
    return label.name


def _numbered(body: str, context: Context) -> str:
    return context.label(body).name


def _equation(body: str, context: Context) -> str:
    return f"({context.label(body).number})"


def _document(body: str, context: Context) -> str:
    titled = TITLED.fullmatch(body)
    target = titled["target"] if titled else body
    name = _resolve(target.lstrip("/"), context)
    if target.startswith("/"):
        name = target.lstrip("/")
    title = titled["title"] if titled else context.titles.get(name, name)
    if name in context.notebooks:
        return f"[{title}]({_relative(name, context)}.ipynb)"
    return title


def _resolve(path: str, context: Context) -> str:
    folder = os.path.dirname(context.page.name)
    return os.path.normpath(os.path.join(folder, path))


def _relative(name: str, context: Context) -> str:
    return os.path.relpath(name, os.path.dirname(context.page.name) or ".")


def _textual(body: str, context: Context) -> str:
    return context.citations.textual(body)


def _parenthetical(body: str, context: Context) -> str:
    return context.citations.parenthetical(body)


def _glued(body: str, context: Context) -> str:
    return context.glued_text(body)


ROLES: dict[str, Callable[[str, Context], str]] = {
    "cite": _parenthetical,
    "cite:t": _textual,
    "doc": _document,
    "eq": _equation,
    "glue:text": _glued,
    "numref": _numbered,
    "ref": _reference,
}
