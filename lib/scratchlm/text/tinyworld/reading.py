"""Reading: text becomes choices again.

The reader runs the function that would have written the document. Wherever
that tells a line, the reader tries all of the line's forms on the text at
this place. The text must decide: two that fit are a fault of the world, and
none means that the text is unfinished, false or no sentence of the world.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scratchlm.text.tinyworld.grammar import Entity, Line, Options
from scratchlm.text.tinyworld.matching import Match, Matcher, Slip
from scratchlm.text.tinyworld.telling import Case, Filler, Teller


def answer_in(text: str) -> str | None:
    """What a text answers, without the full stop; None if it does not."""
    _, found, answer = text.rpartition("Answer:")
    return answer.strip().removesuffix(".") if found else None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is wrong with a text, and where.

    Args:
        kind: ``ok``; ``incomplete``: the text stops, and all before is
            right; ``ungrammatical``: no sentence of the world's, here;
            ``false``: one whose words the world's facts, the story just told
            or arithmetic contradict; ``impossible``: one that no story can
            go on with, as when someone gives what another has.
        offset: the character at which the word begins that is wrong, or the
            sign; the text's length where none is.
        expected: what could stand there, at most a few examples.
        found: what does.
    """

    kind: str
    offset: int
    expected: tuple[str, ...] = ()
    found: str = ""

    @property
    def ok(self) -> bool:
        """Whether the text is a document of the world, whole and true."""
        return self.kind == "ok"

    def __str__(self) -> str:
        if self.ok:
            return "ok"
        wanted = " or ".join(map(repr, self.expected))
        if self.kind != "incomplete":
            fault = f"{self.found!r} stands where {wanted} should"
        elif wanted:
            fault = f"the text ends before {wanted}"
        else:
            fault = "the text ends"
        return f"{self.kind} at character {self.offset}: {fault}"


class Stopped(Exception):
    """The text cannot be read on.

    Args:
        verdict: why.
        reached: the character up to which it could be read.
    """

    def __init__(self, verdict: Verdict, reached: int):
        super().__init__(str(verdict))
        self.verdict = verdict
        self.reached = reached


EXAMPLES = 6  # of what could stand at a place
MOST_FOUND = 20  # characters of what does

BETWEEN = re.compile(r"[^\w'-]")
WORD = re.compile(r"\W*[\w'-]+|\W*")  # with what stands before it


class Reader(Teller):
    """Reads a document, deducing each choice.

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
        super().__init__(lines)
        self.text = text
        self.at = 0
        self.matcher = Matcher(lines, universes, text)
        self.pending: Sequence[Case] = ()  # the lines that could not be read

    def tell(self, name: str, **roles: Filler) -> None:
        """Read a line, and fill its roles with whom it names."""
        self._read([(name, roles)], [0.0])

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Read the one of the lines that stands here; which one it was."""
        weights = weights or [1] * len(cases)
        total = sum(weights)
        possible = [i for i, weight in enumerate(weights) if weight]
        chosen = self._read(
            [cases[i] for i in possible],
            [math.log(weights[i] / total) for i in possible],
        )
        return possible[chosen]

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.at < len(self.text):
            found = _first_word(self.text[self.at :])
            raise self._stopped("ungrammatical", self.at, ("the end",), found)

    def answer(self) -> str | None:
        """The answer, where the text stopped before or within it."""
        if len(self.pending) != 1:
            return None
        name, _ = self.pending[0]
        if not name.startswith("answer."):
            return None
        segments = self.lines[name].forms[0].segments
        template = "".join(texts[0] for texts, _ in segments)
        return answer_in(template % self.words)

    def _read(
        self,
        cases: Sequence[Case],
        log_probs: Sequence[float],
    ) -> int:
        found = self.matcher.matches(cases, self.roles, self.at)
        allowed = [m for m in found if self._slip(m, cases) is None]
        if not allowed:
            self.pending = cases
            raise self._explain(cases, found)
        assert len(allowed) == 1, (cases, self.text[self.at :][:80])
        match = allowed[0]
        for role, filler in cases[match.case][1].items():
            if isinstance(filler, Entity):
                self.bind(**{role: filler})
            else:
                self.log_prob += filler.of(self.roles).log_prob
                self.bind(**{role: match.filled[role]})
        self.log_prob += log_probs[match.case] + match.log_prob
        self.at = match.end
        return match.case

    def _slip(self, match: Match, cases: Sequence[Case]) -> Slip | None:
        """The first word that may not stand here."""
        roles = {**self.roles, **match.filled}
        slips = [match.slip] if match.slip else []
        for role, filler in cases[match.case][1].items():
            if isinstance(filler, Entity):
                continue
            options, value = filler.of(roles), match.filled[role]
            if value not in options.allowed:
                names = tuple(v.name for v in options.values[:EXAMPLES])
                slips.append(Slip(match.where[role], names, value.name))
                break  # what depends on this value may not exist
        return min(slips, key=lambda slip: slip.offset, default=None)

    def _explain(self, cases: Sequence[Case], found: list[Match]) -> Stopped:
        """Why no reading is allowed."""
        matcher, in_story = self.matcher, self.kind == "story"
        stopped = self._ungrammatical()
        if matcher.ran_out:
            end = len(self.text)
            return self._stopped("incomplete", end, matcher.wanted)
        chosen = bool(found)  # a free choice went wrong, not its consequence
        if not found:
            found = matcher.matches(cases, self.roles, self.at, relaxed=True)
        slips = [s for m in found if (s := self._slip(m, cases))]
        slips = slips or matcher.unfinished
        if not slips:
            return stopped
        slip = max(slips, key=lambda slip: slip.offset)
        decided = len(slip.expected) == 1 if chosen else not in_story
        kind = "false" if decided else "impossible"
        return self._stopped(kind, slip.offset, slip.expected, slip.found)

    def _ungrammatical(self) -> Stopped:
        """The first word or sign that no sentence has here."""
        reached, wanted = self.matcher.furthest, self.matcher.wanted
        start, rest = "", self.text[reached:]
        if _in_word(rest) or all(map(_in_word, wanted)):
            start = BETWEEN.split(self.text[self.at : reached])[-1]
        return self._stopped(
            "ungrammatical",
            reached - len(start),
            [_first_word(start + end) for end in wanted],
            _first_word(start + rest),
            reached,
        )

    def _stopped(
        self,
        kind: str,
        offset: int,
        expected: Sequence[str],
        found: str = "",
        reached: int | None = None,
    ) -> Stopped:
        examples = tuple(dict.fromkeys(expected))[:EXAMPLES]
        verdict = Verdict(
            kind=kind,
            offset=offset,
            expected=examples,
            found=found[:MOST_FOUND],
        )
        return Stopped(verdict, offset if reached is None else reached)


def _in_word(text: str) -> bool:
    return bool(text) and not BETWEEN.match(text)


def _first_word(text: str) -> str:
    found = WORD.match(text)
    assert found is not None  # the empty string is one
    return found[0]
