"""Finding a line's words in a text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import no_type_check

from scratchlm.text.tinyworld.grammar import (
    Entity,
    Line,
    Options,
    Slot,
    Template,
)
from scratchlm.text.tinyworld.telling import Case

DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Slip:
    """A word that contradicts what is known."""

    offset: int
    expected: tuple[str, ...]
    found: str


@no_type_check
@dataclass(frozen=True)
class Match:
    """One way to read a line at a place."""

    case: int
    log_prob: float  # of the form
    end: int
    filled: Mapping[str, Entity]
    where: Mapping[str, int]
    slip: Slip | None

    def longer(
        self,
        word: str,
        filled: Mapping[str, Entity] | None = None,
        where: Mapping[str, int] | None = None,
        slip: Slip | None = None,
    ) -> "Match":
        """The match that goes on over a word."""
        return Match(
            self.case,
            self.log_prob,
            self.end + len(word),
            self.filled if filled is None else filled,
            self.where if where is None else where,
            self.slip if slip is None else slip,
        )


@no_type_check  # at run time, where each call would take forty times as long
class Matcher:
    """Finds all ways to read lines at a place.

    Args:
        lines: the lines by name.
        universes: all entities by kind.
        text: the document.
    """

    def __init__(
        self,
        lines: Mapping[str, Line],
        universes: Mapping[str, Options],
        text: str,
    ):
        self.lines = lines
        self.universes = universes
        self.text = text
        self.relaxed = False
        self.known: dict[str, Entity] = {}
        self.free: dict[str, str] = {}  # roles, and of what kind
        self.furthest = 0
        self.wanted: list[str] = []
        self.ran_out = False
        self.unfinished: list[Slip] = []

    def matches(
        self,
        cases: Sequence[Case],
        roles: Mapping[str, Entity],
        at: int,
        *,
        relaxed: bool = False,
    ) -> list[Match]:
        """All ways to read the cases.

        Args:
            cases: names of lines, each with who plays its roles.
            roles: who plays the other roles.
            at: where in the text the line begins.
            relaxed: let words stand that contradict what is known.
        """
        self.relaxed = relaxed
        self.furthest, self.wanted, self.ran_out = at, [], False
        self.unfinished = []
        found: list[Match] = []
        for case, (name, fillers) in enumerate(cases):
            self.known, self.free = dict(roles), {}
            for role, filler in fillers.items():
                if isinstance(filler, Entity):
                    self.known[role] = filler
                else:
                    self.free[role] = filler.kind
            for form in self.lines[name].forms:
                start = Match(case, form.log_prob, at, {}, {}, None)
                found.extend(self._walk(form.parts, start))
        return found

    def _walk(self, parts: Template, match: Match) -> Iterator[Match]:
        """All ways to read the parts on from where a match ends."""
        if not parts:
            yield match
            return
        part, rest = parts[0], parts[1:]
        if isinstance(part, str):
            if self.text.startswith(part, match.end):
                yield from self._walk(rest, match.longer(part))
            else:
                self._stuck(match.end, part, match.slip)
        elif isinstance(part, Slot):
            for read in self._fill(part, match):
                yield from self._walk(rest, read)
        else:
            for choice in part:
                yield from self._walk(choice + rest, match)

    def _fill(self, slot: Slot, match: Match) -> Iterator[Match]:
        """All ways to read a blank."""
        role = slot.role
        known = match.filled.get(role)
        if known is None and role in self.free:
            options = self.universes[self.free[role]]
            where = {**match.where, role: match.end}
            for word, values in self._words(options, slot.case, match):
                for value in values:
                    filled = {**match.filled, role: value}
                    yield match.longer(word, filled, where)
            return
        known = known or self.known[role]
        expected = known.words[slot.case]
        if self._stands(expected, match, known.kind):
            yield match.longer(expected)
        elif self.relaxed:
            options = self.universes[known.kind]
            for word, _ in self._words(options, slot.case, match):
                slip = match.slip or Slip(match.end, (expected,), word)
                yield match.longer(word, slip=slip)

    def _words(
        self, options: Options, case: str, match: Match
    ) -> list[tuple[str, list[Entity]]]:
        """Words of a kind that stand at a place, with whom they name."""
        words, at = options.by_word[case], match.end
        if options.kind == "number":
            digits = DIGITS.match(self.text, at)
            if digits and digits.end() == len(self.text):
                self.ran_out = True
            if digits and (self.relaxed or digits[0] in words):
                return [(digits[0], words.get(digits[0], [options.values[0]]))]
            self._stuck(at, options.values[0].name, match.slip)
            return []
        found = [
            (word, values)
            for word, values in words.items()
            if self.text.startswith(word, at)
        ]
        for word in () if found else words:
            self._stuck(at, word, match.slip)
        return found

    def _stands(self, word: str, match: Match, kind: str) -> bool:
        at = match.end
        if self.text.startswith(word, at):
            after = self.text[at + len(word) : at + len(word) + 1]
            return kind != "number" or not after.isdigit()
        self._stuck(at, word, match.slip)
        return False

    def _stuck(self, at: int, expected: str, slip: Slip | None) -> None:
        """Remember how far reading came, and what it wanted there."""
        rest = self.text[at : at + len(expected)]
        if expected.startswith(rest) and at + len(expected) > len(self.text):
            if not self.ran_out:
                self.wanted = []
            self.ran_out = True
            self.wanted.append(expected[len(rest) :])
            if slip:
                self.unfinished.append(slip)
        if self.ran_out:
            return
        same = 0
        while same < len(rest) and rest[same] == expected[same]:
            same += 1
        if at + same > self.furthest:
            self.furthest, self.wanted = at + same, []
        if at + same == self.furthest:
            self.wanted.append(expected[same:])
