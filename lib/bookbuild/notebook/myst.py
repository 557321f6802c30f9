"""Read MyST Markdown: its block tokens, and the directives in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

HEAD = re.compile(r"\{(?P<name>[^}\s]+)\}\s*(?P<argument>.*)", re.S)
OPTION = re.compile(r":(?P<key>[\w-]+):\s*(?P<value>.*)")
SPECIAL = {  # what a plain Markdown reader would print as it stands
    "myst_target",
    "myst_line_comment",
    "myst_block_break",
    "myst_role",
    "math_block_label",
    "substitution_block",
    "substitution_inline",
}


@dataclass(frozen=True, kw_only=True)
class Directive:
    """A directive as the author wrote it.

    Args:
        name: ``table``, ``exercise``, ``glue:figure``.
        argument: what follows the name on its line.
        options: ``:key: value`` lines.
        body: the rest, without the blank lines around it.
    """

    name: str
    argument: str = ""
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""


@lru_cache(maxsize=4)
def _parser(extensions: tuple[str, ...]) -> MarkdownIt:
    config = MdParserConfig(enable_extensions=set(extensions))
    parser = create_md_parser(config, RendererHTML)
    assert isinstance(parser, MarkdownIt)
    return parser


def block_tokens(text: str, config: MdParserConfig) -> list[Token]:
    """Parse Markdown; each token knows its lines.

    Args:
        text: MyST Markdown.
        config: the book's parser settings.
    """
    extensions = tuple(sorted(config.enable_extensions))
    return _parser(extensions).parse(text + "\n")


def directive_of(token: Token) -> Directive | None:
    """Return the directive that a token is, or None.

    Args:
        token: a block token.
    """
    if token.type not in ("fence", "colon_fence"):
        return None
    head = HEAD.match(token.info.strip())
    if head is None:
        return None
    options, body = _split_options(token.content)
    return Directive(
        name=head["name"],
        argument=head["argument"].strip(),
        options=options,
        body=body.strip("\n"),
    )


def _split_options(content: str) -> tuple[dict[str, str], str]:
    lines = content.split("\n")
    if lines[0].strip() == "---":
        end = lines.index("---", 1)
        loaded: Any = yaml.safe_load("\n".join(lines[1:end])) or {}
        options = {key: str(value) for key, value in loaded.items()}
        return options, "\n".join(lines[end + 1 :])
    options = {}
    while lines and (option := OPTION.fullmatch(lines[0].strip())):
        options[option["key"]] = option["value"].strip()
        lines.pop(0)
    return options, "\n".join(lines)


def leftovers(text: str, config: MdParserConfig) -> list[str]:
    """List the MyST syntax in a text that should be plain Markdown.

    Args:
        text: Markdown.
        config: the book's parser settings.

    Returns:
        One description for each role, directive, target or comment.
    """
    return [
        f"{token.type} {token.info or token.content!r}".strip()
        for token in _all_tokens(block_tokens(text, config))
        if token.type in SPECIAL
        or token.type == "colon_fence"
        or directive_of(token) is not None
    ]


def _all_tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all_tokens(token.children or [])
