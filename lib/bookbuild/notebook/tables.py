"""Turn table directives into pipe tables."""

from __future__ import annotations

import csv
from collections.abc import Sequence


def list_table(body: str, options: dict[str, str]) -> str:
    """Return a ``list-table`` as a pipe table.

    Args:
        body: a list of lists, ``* - cell``.
        options: of the directive; ``header-rows`` counts.
    """
    rows: list[list[str]] = []
    for line in body.split("\n"):
        stripped = line.strip()
        if line[:1] in "*-" and stripped[1:].lstrip()[:1] in ("-", "*"):
            rows.append([stripped[1:].lstrip()[1:].strip()])
        elif stripped[:2] in ("- ", "* ") or stripped in ("-", "*"):
            rows[-1].append(stripped[1:].strip())
        elif stripped:
            rows[-1][-1] = f"{rows[-1][-1]} {stripped}".strip()
    return pipe_table(rows, int(options.get("header-rows", "0")))


def csv_table(body: str, options: dict[str, str]) -> str:
    """Return a ``csv-table`` as a pipe table.

    Args:
        body: comma-separated values.
        options: of the directive; ``header`` or ``header-rows`` counts.
    """
    rows = list(csv.reader(body.split("\n"), skipinitialspace=True))
    headers = int(options.get("header-rows", "0"))
    if "header" in options:
        rows[:0] = csv.reader([options["header"]], skipinitialspace=True)
        headers = 1
    return pipe_table(rows, headers)


def pipe_table(rows: Sequence[Sequence[str]], headers: int) -> str:
    """Return rows as a Markdown table.

    Args:
        rows: cells as Markdown.
        headers: how many rows are headers; Markdown has room for one.
    """
    width = len(rows[0])
    body = [*rows] if headers else [[""] * width, *rows]
    body.insert(1, ["---"] * width)
    return "\n".join(f"| {' | '.join(row)} |" for row in body)
