"""What each character of a TinyWorld document costs the world itself.

A document's probability is a product over its choices. Here it is spread
over its characters, so that the gap of a model can be seen token by token:
the world's own next-character distribution is a sum over all choices that
agree with the text so far.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias, no_type_check

import numpy as np
from jaxtyping import Float

from scratchlm.text.tinyworld.grammar import (
    Entity,
    Line,
    Linked,
    Options,
    Slot,
    Template,
)
from scratchlm.text.tinyworld.reading import Reader, Stopped
from scratchlm.text.tinyworld.telling import Case, Filler, Teller
from scratchlm.text.tinyworld.world import TinyWorld

# What a character asks of whoever foresees it.
KNOWLEDGE = ("grammar", "draws", "facts", "memory", "arithmetic")
_WORKED = {"S", "R", "W"}  # roles of the numbers that a sum is worked to
# A line, its probability, and the number of the kind of document.
Weighed: TypeAlias = tuple[Case, float, int]


class Surprise(NamedTuple):
    """What a text costs the world, and what each part of it asks.

    Args:
        nats: for each character, and last for the end of the text.
        labels: for each of these a position in ``KNOWLEDGE``.
    """

    nats: Float[np.ndarray, " n"]
    labels: Sequence[int]


def by_token(surprise: Surprise, lengths: Sequence[int]) -> Surprise:
    """Return what each token costs the world, its text's end included.

    Args:
        surprise: of a text.
        lengths: characters of each token of the text, without the end.

    Returns:
        The same for each token, which asks what its last character asks.

    Raises:
        ValueError: the lengths are not those of the text's tokens.
    """
    ends = np.cumsum([*lengths, 1])
    if ends[-1] != len(surprise.nats):
        raise ValueError(
            f"the tokens have {ends[-1] - 1} characters, and the text "
            f"{len(surprise.nats) - 1}; give those of this text"
        )
    sums = np.add.reduceat(surprise.nats, [0, *ends[:-1]])
    return Surprise(sums, [surprise.labels[end - 1] for end in ends])


def world_surprise(world: TinyWorld, text: str) -> Surprise:
    """Return what each character of a document costs the world, in nats.

    Their sum is ``-world.log_prob(text)``. A character is *grammar* if the
    wording of a sentence decides it. A blank of a sentence asks for what was
    drawn just now (*draws*), for what is true of the world and has not
    been told (*facts*), for what was named before (*memory*), or for a
    number to be worked out (*arithmetic*).

    Args:
        world: that can say the text.
        text: a whole document.

    Raises:
        ValueError: it is no document of the world.
    """
    narrator = world.narrator
    opening = [*_openings(world)]
    for topic, (weight, tell) in enumerate(narrator.topics):
        if not weight:
            continue
        reader = _Spreader(
            narrator.lines, narrator.universes, text, (topic, opening)
        )
        try:
            tell(reader)
            reader.end()
        except Stopped:
            continue
        return reader.surprise()
    raise ValueError(
        f"{text[:40]!r} is no document of this world ({world.check(text)}); "
        "give one that it drew, whole"
    )


class _Opened(Exception):
    """The first lines of a kind of document are known."""


class _Opener(Teller):
    """Notes what a document may begin with, and stops."""

    def __init__(self, lines: Mapping[str, Line]):
        super().__init__(lines)
        self.cases: list[Weighed] = []

    def tell(self, name: str, **roles: Filler) -> None:
        """Note the one line."""
        self.cases = [((name, roles), 1.0, 0)]
        raise _Opened

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Note all lines."""
        self.cases = _weighed(cases, weights)
        raise _Opened


def _openings(world: TinyWorld) -> Iterator[Weighed]:
    """Yield the first lines of all documents, of whatever kind."""
    total = sum(world.narrator.weights)
    for topic, (weight, tell) in enumerate(world.narrator.topics):
        opener = _Opener(world.narrator.lines)
        try:
            tell(opener)
        except _Opened:
            for case, share, _ in opener.cases:
                yield case, share * weight / total, topic


def _weighed(
    cases: Sequence[Case], weights: Sequence[int] | None
) -> list[Weighed]:
    given = weights or [1] * len(cases)
    total = sum(given)
    return [
        (case, weight / total, 0)
        for case, weight in zip(cases, given, strict=True)
        if weight
    ]


class _Spreader(Reader):
    """Reads a document, and spreads each line's cost over its characters."""

    def __init__(
        self,
        lines: Mapping[str, Line],
        universes: Mapping[str, Options],
        text: str,
        opening: tuple[int, list[Weighed]],
    ):
        super().__init__(lines, universes, text)
        self.topic, self.opening = opening
        self.nats = np.zeros(len(text) + 1)
        self.labels = [0] * (len(text) + 1)
        self.named: set[Entity] = set()
        self.owed = 0.0  # what a line has cost and no character shows yet
        self.log_prob = 0.0

    def tell(self, name: str, **roles: Filler) -> None:
        """Read a line."""
        at, before = self.at, dict(self.roles)
        super().tell(name, **roles)
        self._spread(at, before, [((name, roles), 1.0, 0)])

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Read one of several lines."""
        at, before = self.at, dict(self.roles)
        chosen = super().tell_one(cases, weights)
        self._spread(at, before, _weighed(cases, weights))
        return chosen

    def surprise(self) -> Surprise:
        """Return what was found, once the text has been read."""
        self.nats[-1] += self.owed
        return Surprise(self.nats, self.labels)

    def _spread(
        self, at: int, before: Mapping[str, Entity], cases: list[Weighed]
    ) -> None:
        """Put the cost of the line that was just read on its characters."""
        if self.opening:
            cases, self.opening = self.opening, []
        else:
            self.topic = 0
        lines = _Lines(self.lines, before, self.text[at:], self.at - at)
        for case, share, topic in cases:
            lines.add(case, share, read=topic == self.topic)
        left = lines.left()
        self.nats[at : self.at] -= np.diff(np.log(left))
        self.nats[at] += self.owed
        # A longer line that begins with this one, and documents of another
        # kind that begin with the same line, are ruled out by what follows.
        self.owed = math.log(left[-1]) - math.log(lines.whole)
        self._label(at, lines.blanks)

    def _label(self, at: int, blanks: "_Blanks") -> None:
        """Say what each blank of a line asks of whoever fills it."""
        worked: set[str] = set()
        for role, drawn, start, stop in blanks:
            entity = self.roles[role]
            if drawn:
                label = "draws"
            elif entity.kind == "number" and role in _WORKED - worked:
                label = "arithmetic"
                worked.add(role)
            elif entity.kind == "number" or entity in self.named:
                label = "memory"
            else:
                label = "facts"
            number = KNOWLEDGE.index(label)
            self.labels[at + start : at + stop] = [number] * (stop - start)
            self.named.add(entity)


class _Blank(NamedTuple):
    """A blank that was filled.

    Args:
        role: who fills it.
        drawn: whether several could have, as far as the line told.
        start: its first character, from the beginning of the line.
        stop: the character behind it.
    """

    role: str
    drawn: bool
    start: int
    stop: int


_Blanks: TypeAlias = tuple[_Blank, ...]


class _Told(NamedTuple):
    """A line that has been told up to some character.

    Args:
        at: the character, from the beginning of the line.
        share: the probability of the choices so far.
        roles: who was chosen for which role.
        drawn: the roles for which there was a choice.
        blanks: those that were filled.
    """

    at: int
    share: float
    roles: Mapping[str, Entity]
    drawn: frozenset[str]
    blanks: _Blanks


@no_type_check  # at run time, where a line is hundreds of calls
class _Lines:
    """All ways to tell lines, and how far each agrees with a text.

    Args:
        lines: by name.
        roles: who plays which, before.
        text: from where the line begins.
        size: characters of the line that stands there.
    """

    def __init__(
        self,
        lines: Mapping[str, Line],
        roles: Mapping[str, Entity],
        text: str,
        size: int,
    ):
        self.lines, self.roles = lines, roles
        self.text, self.size = text, size
        # The probability of all ways that agree up to a character, and not
        # further.
        self.parted = [0.0] * (size + 1)
        self.whole = 0.0  # and of the one that is the line
        self.blanks: _Blanks = ()
        self.fillers: Mapping[str, Filler] = {}
        self.read = True

    def left(self) -> Float[np.ndarray, " n"]:
        """Return the probability of what agrees up to each character."""
        return np.cumsum(self.parted[::-1])[::-1]

    def add(self, case: Case, share: float, *, read: bool) -> None:
        """Take in all ways to tell a line.

        Args:
            case: its name, and who plays its roles.
            share: its probability.
            read: whether the document may have been read so.
        """
        self.read = read
        name, self.fillers = case
        forms = self.lines[name].forms
        start = _Told(0, share / len(forms), {}, frozenset(), ())
        for form in forms:
            self._walk(form.parts, start)

    def _walk(self, parts: Template, told: _Told) -> None:
        """Follow all ways to tell the parts."""
        if not parts:
            self.parted[min(told.at, self.size)] += told.share
            if self.read and told.at == self.size:
                self.whole += told.share
                self.blanks = told.blanks
            return
        part = parts[0]
        if isinstance(part, str):
            if self._agrees(part, told.at, told.share):
                at = told.at + len(part)
                self._walk(parts[1:], told._replace(at=at))
        elif isinstance(part, Slot):
            self._fill(part, parts[1:], told)
        else:
            told = told._replace(share=told.share / len(part))
            for choice in part:
                self._walk(choice + parts[1:], told)

    def _agrees(self, word: str, at: int, share: float) -> bool:
        """Whether a word stands here; if not, note where they part."""
        if self.text.startswith(word, at):
            return True
        same = at
        for ours, theirs in zip(word, self.text[at:], strict=False):
            if ours != theirs:
                break
            same += 1
        self.parted[min(same, self.size)] += share
        return False

    def _fill(self, slot: Slot, rest: Template, told: _Told) -> None:
        """Follow all whom a blank can name."""
        role = slot.role
        entity = told.roles.get(role)
        if entity is None:
            filler = self.fillers.get(role, self.roles.get(role))
            if not isinstance(filler, Entity):
                for each in self._chosen(slot, told):
                    self._fill(slot, rest, each)
                return
            entity = filler
        word = entity.words[slot.case]
        if self._agrees(word, told.at, told.share):
            stop = told.at + len(word)
            new = all(each.role != role for each in told.blanks)
            drawn = new and role in told.drawn
            blank = _Blank(role, drawn, told.at, stop)
            blanks = (*told.blanks, blank)
            self._walk(rest, told._replace(at=stop, blanks=blanks))

    def _chosen(self, slot: Slot, told: _Told) -> Iterator[_Told]:
        """Yield the choices of who fills a blank that agree with the text.

        Who does may follow from another role, which this sentence names
        later. Then that one is chosen first.
        """
        role, case = slot.role, slot.case
        first = role
        filler = self.fillers[role]
        while (
            isinstance(filler, Linked)
            and filler.role not in told.roles
            and isinstance(
                before := self.fillers.get(filler.role), Options | Linked
            )
        ):
            first, filler = filler.role, before
        assert not isinstance(filler, Entity)
        options = filler.of({**self.roles, **told.roles})
        drawn = told.drawn
        if options.n > 1:
            drawn = drawn | {role, first}
        share = told.share / options.n
        values = options.values
        if first == role:
            # Of hundreds of numbers few begin as the text goes on.
            letter = self.text[told.at : told.at + 1]
            values = tuple(v for v in values if v.words[case][:1] == letter)
            missed = min(told.at, self.size)
            self.parted[missed] += share * (options.n - len(values))
        for value in values:
            roles = {**told.roles, first: value}
            yield told._replace(share=share, roles=roles, drawn=drawn)
