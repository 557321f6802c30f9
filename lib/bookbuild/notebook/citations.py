"""Quote the bibliography in plain text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from pybtex.database import (
    Entry,
    parse_file,
)
from pybtex.plugin import find_plugin
from pybtex.richtext import Text

SEVERAL = 3  # authors from which "et al." stands for the rest


class Citations:
    """The entries of a BibTeX file, and which of them a page cites.

    Args:
        path: the ``.bib`` file.
    """

    def __init__(self, path: Path):
        self._entries: Any = parse_file(str(path)).entries
        self.cited: list[str] = []

    def parenthetical(self, keys: str) -> str:
        """Return ``(Author, Year; Author, Year)``.

        Args:
            keys: keys, separated by commas.
        """
        parts = [f"{a}, {y}" for a, y in map(self._author_year, _split(keys))]
        return f"({'; '.join(parts)})"

    def textual(self, keys: str) -> str:
        """Return ``Author (Year)``, joined with commas where several.

        Args:
            keys: keys, separated by commas.
        """
        parts = map(self._author_year, _split(keys))
        return ", ".join(f"{author} ({year})" for author, year in parts)

    def _author_year(self, key: str) -> tuple[str, str]:
        entry = self._entry(key)
        if key not in self.cited:
            self.cited.append(key)
        names = [
            str(Text.from_latex(" ".join(person.last_names)))
            for person in entry.persons.get("author", [])
        ]
        if not names:
            names = [str(Text.from_latex(entry.fields["title"]))]
        if len(names) >= SEVERAL:
            names = [f"{names[0]} et al."]
        return " and ".join(names), entry.fields["year"]

    def _entry(self, key: str) -> Entry:
        if key not in self._entries:
            raise ValueError(
                f"no entry {key!r} in the bibliography; add it, or correct "
                "the key"
            )
        entry = self._entries[key]
        assert isinstance(entry, Entry)
        return entry

    def references(self) -> list[str]:
        """Return one Markdown line for each work cited so far."""
        style, backend = _formatter()
        entries = [self._entry(key) for key in sorted(self.cited)]
        formatted = style.format_entries(entries)
        lines = [each.text.render(backend) for each in formatted]
        return [f"- {_calm(line)}" for line in lines]


@cache
def _formatter() -> tuple[Any, Any]:
    """Find pybtex's style and backend once; it searches all packages."""
    style: Any = find_plugin("pybtex.style.formatting", "unsrt")
    backend: Any = find_plugin("pybtex.backends", "markdown")
    return style(), backend()


def _calm(line: str) -> str:
    """Join lines, and drop the escapes that only a line start needs."""
    return re.sub(r"\\([.-])", r"\1", " ".join(line.split()))


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]
