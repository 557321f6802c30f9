"""Patterns as another engine reads them.

Hugging Face's library matches with Oniguruma, Python with ``regex``. Most of
an expression means the same to both. What does not is written otherwise here,
or refused.
"""

import re
from collections.abc import Callable

from scratchlm.text.tokenizer.patterns import CL100K, GPT2

# Oniguruma's `$` stands before every line end, and its `{1,3}+` repeats a
# repetition. The two expressions as they are published for it:
_WRITTEN = {
    GPT2: GPT2.replace("$", r"\z"),
    CL100K: CL100K.replace("$", r"\z").replace("{1,3}+", "{1,3}"),
}
_READ = {theirs: ours for ours, theirs in _WRITTEN.items()}

# Where a line ends or begins, and where the text ends, as this module writes
# them.
_LINE_END, _LINE_START, _TEXT_END = "(?m:$)", "(?m:^)", r"(?=\n?\z)"

_PART = re.compile(
    r"(?P<edge>[$^]|\(\?m:[$^]\)|\(\?=\\n\?\\z\))"
    r"|(?P<escape>\\[pP]\{[^}]*\}|\\x\{[^}]*\}|\\.)"
    r"|(?P<open>\((?:\?(?:<?[=!:>]|[a-zA-Z-]*[:)]|<\w+>)?)?)"
    r"|(?P<close>\))|(?P<set>\[)"
    r"|(?P<times>(?:[*+?]|\{\d*,?\d*\})[+?]?)"
    r"|(?P<plain>.)",
    re.DOTALL,
)
_SET = re.compile(
    r"\[\^?\]?(?P<body>(?:\[:\^?\w+:\]|\\[pP]\{[^}]*\}|\\.|[^\]\\])*)\]",
    re.DOTALL,
)
_CLASSES = {*"dDwWsSpPrntfvx"}
_INTERVAL = re.compile(r"\{\d*,?\d*\}\+")


def to_oniguruma(expression: str) -> str:
    """An expression of ours, so that Oniguruma finds what ``regex`` does.

    Raises:
        ValueError: it holds what the two read otherwise.
    """
    edges = {"$": _TEXT_END, "^": r"\A", r"\Z": r"\z"}
    edges |= {_LINE_END: "$", _LINE_START: "^"}
    return _WRITTEN.get(expression) or _translate(
        expression, edges, lambda atom, times: f"(?>{atom}{times[:-1]})"
    )


def from_oniguruma(expression: str) -> str:
    """An expression of Oniguruma's, so that ``regex`` finds the same.

    Raises:
        ValueError: it holds what the two read otherwise.
    """
    edges = {"$": _LINE_END, "^": _LINE_START, r"\z": r"\Z", r"\Z": "$"}
    edges |= {_TEXT_END: "$"}
    return _READ.get(expression) or _translate(
        expression, edges, lambda atom, times: f"(?:{atom}{times[:-1]})+"
    )


def _translate(
    expression: str,
    edges: dict[str, str],
    repeat: Callable[[str, str], str],
) -> str:
    """Copy an expression part by part, and rewrite what differs."""
    done: list[str] = []  # each an atom, or the beginning of a group
    groups: list[int] = []
    at = 0
    while at < len(expression):
        found = _PART.match(expression, at)
        assert found
        kind, part = found.lastgroup, found.group()
        at = found.end()
        if kind == "set":
            part, at = _whole_set(expression, found.start())
        elif kind == "escape":
            part = _escaped(part, edges, expression)
        elif kind == "edge":
            part = edges.get(part, part)
        elif kind == "open":
            _check_group(part, expression)
            if not part.endswith(")"):
                groups.append(len(done))
        elif kind == "close" and groups:
            first = groups.pop()
            done[first:] = ["".join(done[first:]) + part]
            continue
        elif kind == "times" and done:
            atom = done.pop()
            same = not _INTERVAL.fullmatch(part)
            part = atom + part if same else repeat(atom, part)
        done.append(part)
    return "".join(done)


def _whole_set(expression: str, at: int) -> tuple[str, int]:
    found = _SET.match(expression, at)
    if not found:
        raise _unequal("[", expression)
    body = found["body"]
    bare = re.sub(r"\\[pP]\{[^}]*\}|\\.", "", body, flags=re.DOTALL)
    for sign in ("[", "&&", "||", "--", "~~"):
        if sign in bare:
            raise _unequal(f"{sign} within a set", expression)
    for escaped in re.findall(r"\\([a-zA-Z])", body):
        if escaped not in _CLASSES:
            raise _unequal(f"\\{escaped}", expression)
    return found.group(), found.end()


def _escaped(part: str, edges: dict[str, str], expression: str) -> str:
    if part in edges:
        return edges[part]
    if part[1].isalnum() and part[1] not in _CLASSES | {*"AbB123456789"}:
        raise _unequal(part, expression)
    return part


def _check_group(part: str, expression: str) -> None:
    flags = part.removeprefix("(?").rstrip(":)")
    known = flags in ("(", "", "=", "!", ">", "<=", "<!", "i", "-i")
    if not known and not re.fullmatch(r"<\w+>", flags):
        raise _unequal(part, expression)


def _unequal(part: str, expression: str) -> ValueError:
    return ValueError(
        f"its pattern {expression!r} holds {part}, which Oniguruma and regex "
        "do not read alike"
    )
