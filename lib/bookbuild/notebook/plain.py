"""Say in plain Markdown what a MyST page says, for notebooks."""

from __future__ import annotations

import re

from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig

from bookbuild.notebook.directives import equation, plain_directive
from bookbuild.notebook.inline import Context, plain_inline
from bookbuild.notebook.myst import (
    block_tokens,
    directive_of,
    leftovers,
)

DROPPED = {"myst_target", "myst_line_comment", "myst_block_break"}
CONTINUED = "Solution, continued"
PREFIX = re.compile(r"[ >]*")
EMPTY_FOLD = re.compile(
    r"<details><summary>(?P<title>[^<]*)</summary>\s*</details>"
)


class PlainMarkdown:
    """Translate the text cells of one page, in order.

    Args:
        context: what the text may refer to.
        config: the book's parser settings.
    """

    def __init__(self, context: Context, config: MdParserConfig):
        self.context = context
        self.config = config

    def cell(self, text: str) -> str:
        """Translate one Markdown cell.

        A solution that spans cells is folded in each of them.

        Args:
            text: MyST Markdown.

        Raises:
            ValueError: the page uses syntax that has no translation.
        """
        opening = ""
        if self.context.in_solution:
            opening = f"<details><summary>{CONTINUED}</summary>\n\n"
        plain = (opening + self.text(text)).strip()
        if self.context.in_solution:
            plain += "\n\n</details>"
        plain = EMPTY_FOLD.sub(_bare_title, plain).strip()
        if left := leftovers(plain, self.config):
            raise ValueError(
                f"book/{self.context.page.name}.md: no plain Markdown for "
                f"{left[0]}; add it in bookbuild.notebook.plain"
            )
        return plain

    def text(self, text: str) -> str:
        """Translate a run of blocks.

        Args:
            text: MyST Markdown.
        """
        lines = text.split("\n")
        edits: dict[int, tuple[int, list[str]]] = {}
        done = 0
        for token in block_tokens(text, self.config):
            if token.map is None or token.map[0] < done:
                continue
            first, last = token.map[0], min(token.map[1], len(lines))
            block = self._block(token, lines[first:last])
            if block is not None:
                edits[first] = (last, block)
                done = last
        for first, (last, block) in sorted(edits.items(), reverse=True):
            lines[first:last] = block
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")

    def inline(self, text: str) -> str:
        """Translate the inside of a line.

        Args:
            text: MyST Markdown.
        """
        return plain_inline(text, self.context)

    def _block(self, token: Token, lines: list[str]) -> list[str] | None:
        """Return the lines that replace a block, or None to look inside."""
        if token.type in ("inline", "table_open"):
            return self.inline("\n".join(lines)).split("\n")
        plain = self._whole_block(token)
        if plain is None:
            return lines if token.type in ("fence", "amsmath") else None
        prefix = PREFIX.match(lines[0])
        assert prefix is not None
        return [(prefix[0] + line).rstrip() for line in plain.split("\n")]

    def _whole_block(self, token: Token) -> str | None:
        if token.type in DROPPED:
            return ""
        if token.type == "math_block_label":
            number = self.context.label(token.info).number
            return equation(token.content.strip(), number)
        directive = directive_of(token)
        return plain_directive(directive, self) if directive else None


def _bare_title(match: re.Match[str]) -> str:
    """Replace a fold with nothing in it: the solution's code follows."""
    if match["title"] == CONTINUED:
        return ""
    return f"**{match['title']}**, in the folded cells below."
