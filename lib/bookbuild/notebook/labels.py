"""Number figures, tables, equations and exercises as the HTML does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig

from bookbuild.contents import Page
from bookbuild.notebook.myst import Directive, block_tokens, directive_of

NAMES = {
    "figure": "Figure",
    "table": "Table",
    "listing": "Listing",
    "exercise": "Exercise",
    "section": "Section",
    "equation": "Equation",
}
LISTINGS = {"code-block", "literalinclude"}


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a label stands for.

    Args:
        page: name of the page that it is on.
        kind: a key of ``NAMES``.
        number: as the HTML prints it, ``1.2``; empty where unnumbered.
        title: of a section or an exercise; else empty.
    """

    page: str
    kind: str
    number: str
    title: str = ""

    @property
    def name(self) -> str:
        """``Figure 1.2``."""
        return f"{NAMES[self.kind]} {self.number}".strip()


class PageLabels:
    """The labels of one page, gathered in reading order.

    Args:
        page: the page.
        config: the book's parser settings.
    """

    def __init__(self, page: Page, config: MdParserConfig):
        self.page = page
        self.config = config
        self.labels: dict[str, Label] = {}
        self._counts: Counter[str] = Counter()
        self._sections: list[int] = []
        self._waiting: list[str] = []

    def read(self, notebook: Any) -> dict[str, Label]:
        """Gather the labels of a notebook's cells.

        Args:
            notebook: the page as a notebook, executed or not.
        """
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                self._read_text(cell.source)
            elif cell.cell_type == "code":
                shown = cell.metadata.get("mystnb", {}).get("figure", {})
                if "caption" in shown:
                    self._count("figure", shown.get("name", ""))
        return self.labels

    def _read_text(self, text: str) -> None:
        tokens = block_tokens(text, self.config)
        for token, following in pairwise([*tokens, None]):
            assert token is not None
            if token.type == "myst_target":
                self._waiting.append(token.content)
            elif token.type == "heading_open":
                assert following is not None
                self._section(int(token.tag[1:]), following.content)
            elif token.type == "math_block_label":
                self._count("equation", token.info)
            elif token.type == "amsmath":
                if token.meta["numbered"] != "*":
                    self._count("equation", "")
            elif (directive := directive_of(token)) is not None:
                self._directive(directive)
            elif _ends_waiting(token):
                self._waiting.clear()

    def _directive(self, directive: Directive) -> None:
        options = directive.options
        name = options.get("name", "")
        if directive.name == "glue:figure":
            self._count("figure", name)
        elif directive.name == "table" and directive.argument:
            self._count("table", name)
        elif directive.name in LISTINGS and "caption" in options:
            self._count("listing", name)
        elif directive.name == "exercise":
            self._count("exercise", options.get("label", ""), directive)
        elif directive.name == "math" and "label" in options:
            self._count("equation", options["label"])
        if directive.name not in LISTINGS:
            self._read_text(directive.body)

    def _count(
        self, kind: str, name: str, directive: Directive | None = None
    ) -> None:
        numbered = directive is None or "nonumber" not in directive.options
        self._counts[kind] += numbered
        number = f"{self._prefix()}{self._counts[kind]}" if numbered else ""
        title = directive.argument if directive else ""
        for each in [name, *self._waiting]:
            self.labels[each] = Label(
                page=self.page.name, kind=kind, number=number, title=title
            )
        self.labels.pop("", None)
        self._waiting.clear()

    def _section(self, level: int, title: str) -> None:
        self._sections = self._sections[:level]
        self._sections += [0] * (level - len(self._sections))
        self._sections[level - 1] += 1
        number = ""
        if self.page.chapter is not None:
            below = self._sections[1:]
            number = ".".join(map(str, [self.page.chapter, *below]))
        for each in self._waiting:
            self.labels[each] = Label(
                page=self.page.name,
                kind="section",
                number=number,
                title=title,
            )
        self._waiting.clear()

    def _prefix(self) -> str:
        chapter = self.page.chapter
        return "" if chapter is None else f"{chapter}."


def _ends_waiting(token: Token) -> bool:
    """A target points at the next block, whatever that is."""
    return token.nesting >= 0 and token.type != "myst_line_comment"
