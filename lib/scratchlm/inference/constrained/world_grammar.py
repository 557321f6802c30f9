"""The grammar of TinyWorld's documents.

Stories, facts and sums are functions that tell lines. They are run here by a
teller that follows the choices made so far and stops at the first that is
open. Its cases are what may follow: so a rule of this grammar is found when
it is called, and there are as many as there are beginnings of documents.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, TypeGuard

from scratchlm.inference.constrained.characters import DIGIT
from scratchlm.inference.constrained.expression import (
    EMPTY,
    Expression,
    Rules,
    call,
    either,
    literal,
    one_of,
    repeat,
    sequence,
    terminal,
)
from scratchlm.inference.constrained.grammar import Grammar
from scratchlm.text.tinyworld.config import MOST_DIGITS
from scratchlm.text.tinyworld.grammar import (
    Entity,
    Line,
    Linked,
    Options,
    Slot,
    Template,
)
from scratchlm.text.tinyworld.narrator import Narrator
from scratchlm.text.tinyworld.telling import Case, Filler, Teller
from scratchlm.text.tinyworld.world import TinyWorld

ASCII = sum(1 << byte for byte in (0x0A, *range(0x20, 0x7F)))
MOST_RULES = 4_000  # that are kept; guessed: those of a few dozen stories

# The topic, and of each line told its case and who plays its free roles.
Decision = tuple[int, tuple[tuple[str, Entity], ...]]
Path = tuple[Any, ...]
Domains = Mapping[str, tuple[Entity, ...]]  # who may still play each role


def world_grammar(world: TinyWorld, *, true: bool = False) -> Grammar:
    """Return the grammar of a world's documents.

    Args:
        world: that tells them.
        true: allow only documents that :meth:`TinyWorld.check
            <scratchlm.text.tinyworld.world.TinyWorld.check>` finds true.
            Otherwise a sentence may name anyone of the right kind: the text
            is well-formed, and says what it likes.
    """
    rules = _World(world.narrator, true)
    return Grammar(call(rules, ()), ASCII)


class _Asked(Exception):
    """A choice that is open.

    Args:
        cases: that can be told.
        possible: the positions of those that may.
        roles: who plays what so far.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        possible: Sequence[int],
        roles: Mapping[str, Entity],
    ):
        super().__init__()
        self.cases = cases
        self.possible = possible
        self.roles = roles


class _Follower(Teller):
    """Makes the choices of a path, and stops at the next.

    Args:
        lines: by name.
        path: the choices.
    """

    def __init__(self, lines: Mapping[str, Line], path: Sequence[Decision]):
        super().__init__(lines)
        self.left = list(reversed(path))

    def tell(self, name: str, **roles: Filler) -> None:
        """Follow, or stop at, a choice of one line."""
        self.tell_one([(name, roles)])

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Follow, or stop at, a choice of several lines."""
        if not self.left:
            weights = weights or [1] * len(cases)
            possible = [i for i, weight in enumerate(weights) if weight]
            raise _Asked(cases, possible, dict(self.roles))
        case, chosen = self.left.pop()
        fixed = {
            role: filler
            for role, filler in cases[case][1].items()
            if isinstance(filler, Entity)
        }
        self.bind(**fixed, **dict(chosen))
        return case


@dataclass(frozen=True, eq=False)
class _Spot:
    """A place within a line, where it depends on what it has named.

    Args:
        path: the choices before the line.
        case: which of the lines it is.
        parts: the rest of its sentence.
        domains: who may play the roles that it fills.
    """

    path: Path
    case: int
    parts: Template
    domains: Domains


@dataclass(frozen=True, eq=False)
class _Naming:
    """A place behind the word that says who plays a role.

    Args:
        spot: before the word.
        role: that it fills.
        chosen: those for whom the word may stand.
        rest: of the sentence.
    """

    spot: _Spot
    role: str
    chosen: tuple[Entity, ...]
    rest: Template


class _World(Rules):
    """Rules by path and by naming, made when they are called."""

    def __init__(self, narrator: Narrator, true: bool):
        self.narrator = narrator
        self.true = true
        self._kept = lru_cache(MOST_RULES)(self._rule)
        self._asked = lru_cache(MOST_RULES)(self._ask)

    def __getitem__(self, key: Any) -> Expression:
        return self._kept(key)

    def _rule(self, key: Path | _Naming) -> Expression:
        if isinstance(key, _Naming):
            spot = key.spot
            domains = self._narrowed(spot, key.role, key.chosen)
            return self._line(_Spot(spot.path, spot.case, key.rest, domains))
        if not key:
            told = enumerate(self.narrator.weights)
            return either(*[call(self, (i,)) for i, n in told if n])
        asked = self._asked(key)
        if asked is None:
            return EMPTY
        return either(
            *[
                self._line(_Spot(key, case, form.parts, domains))
                for case in asked.possible
                for domains in [self._domains(asked, case)]
                for form in self.narrator.lines[asked.cases[case][0]].forms
            ]
        )

    def _ask(self, path: Path) -> _Asked | None:
        """Return the next choice on a path; None at the end."""
        follower = _Follower(self.narrator.lines, path[1:])
        try:
            self.narrator.topics[path[0]][1](follower)
        except _Asked as asked:
            return asked
        return None

    def _domains(self, asked: _Asked, case: int) -> Domains:
        """Return who may play the roles that a line fills."""
        found: dict[str, tuple[Entity, ...]] = {}
        for role, filler in asked.cases[case][1].items():
            if isinstance(filler, Entity):
                continue
            if isinstance(filler, Options):
                found[role] = filler.values
            elif not self._binding(filler):
                found[role] = self.narrator.universes[filler.kind].values
            else:
                givers = found.get(filler.role)
                if givers is None:
                    givers = (asked.roles[filler.role],)
                each = (giver.links[filler.link].values for giver in givers)
                found[role] = tuple(
                    dict.fromkeys(v for vs in each for v in vs)
                )
        return found

    def _binding(self, filler: Filler) -> TypeGuard[Linked]:
        """Whether an entity must be one that another is linked to.

        The columns of a sum follow from its terms, so that these are what
        they must be even where the text may be false.
        """
        return isinstance(filler, Linked) and (
            self.true or filler.kind == "number"
        )

    def _narrowed(
        self, spot: _Spot, role: str, chosen: Sequence[Entity]
    ) -> Domains:
        """Return the domains once a word has said who plays a role."""
        asked = self._asked(spot.path)
        assert asked is not None
        domains = {**spot.domains, role: tuple(chosen)}
        for other, filler in asked.cases[spot.case][1].items():
            if not self._binding(filler) or filler.role not in domains:
                continue
            giver = filler.role
            allowed = {
                who: who.links[filler.link].allowed for who in domains[giver]
            }
            if other == role:
                domains[giver] = tuple(
                    who
                    for who in domains[giver]
                    if not allowed[who].isdisjoint(domains[other])
                )
            elif giver == role:
                domains[other] = tuple(
                    who
                    for who in domains[other]
                    if any(who in some for some in allowed.values())
                )
        return domains

    def _line(self, spot: _Spot) -> Expression:
        """Return the rest of a line, and behind it the rest of the text."""
        pieces: list[Expression] = []
        for i, part in enumerate(spot.parts):
            rest = spot.parts[i + 1 :]
            plain = self._plain(part, spot)
            if plain is not None:
                pieces.append(plain)
            elif isinstance(part, Slot):
                words = _by_word(spot.domains[part.role], part.case)
                return sequence(
                    *pieces,
                    either(
                        *[
                            self._named(spot, part.role, word, some, rest)
                            for word, some in words.items()
                        ]
                    ),
                )
            else:
                assert isinstance(part, tuple)
                spots = [
                    _Spot(spot.path, spot.case, (*choice, *rest), spot.domains)
                    for choice in part
                ]
                return sequence(*pieces, either(*map(self._line, spots)))
        return sequence(*pieces, self._behind(spot))

    def _named(
        self,
        spot: _Spot,
        role: str,
        word: str,
        chosen: Sequence[Entity],
        rest: Template,
    ) -> Expression:
        # Found out only if a text has the word, for there are many.
        return sequence(
            literal(word.encode()),
            call(self, _Naming(spot, role, tuple(chosen), rest)),
        )

    def _behind(self, spot: _Spot) -> Expression:
        """Return what follows when a line is over."""
        names = tuple(spot.domains)
        paths = [
            (*spot.path, (spot.case, tuple(zip(names, chosen, strict=True))))
            for chosen in product(*spot.domains.values())
        ]
        return either(*[call(self, path) for path in paths])

    def _plain(self, part: Any, spot: _Spot) -> Expression | None:
        """Return what a part says, if that leaves nothing open."""
        if isinstance(part, str):
            return literal(part.encode())
        if isinstance(part, Slot):
            return self._word(part, spot)
        choices = [
            [self._plain(inner, spot) for inner in choice] for choice in part
        ]
        known = [[p for p in pieces if p is not None] for pieces in choices]
        if known != choices:
            return None
        return terminal(either(*[sequence(*pieces) for pieces in known]))

    def _word(self, slot: Slot, spot: _Spot) -> Expression | None:
        domain = spot.domains.get(slot.role)
        if domain is not None:
            words = _by_word(domain, slot.case)
            if len(words) > 1:
                return None
            return literal(next(iter(words)).encode())
        asked = self._asked(spot.path)
        assert asked is not None
        filler = asked.cases[spot.case][1].get(slot.role)
        entity = asked.roles[slot.role] if filler is None else filler
        assert isinstance(entity, Entity)
        if self.true:
            return literal(entity.words[slot.case].encode())
        if entity.kind == "number":
            return NUMBER
        words = _by_word(
            self.narrator.universes[entity.kind].values, slot.case
        )
        return terminal(either(*[literal(word.encode()) for word in words]))


NUMBER = terminal(
    either(
        literal(b"0"),
        sequence(one_of((0x31, 0x39)), repeat(DIGIT, 0, MOST_DIGITS)),
    )
)


def _by_word(entities: Iterable[Entity], case: str) -> dict[str, list[Entity]]:
    """Return entities by the word that stands for them."""
    found: dict[str, list[Entity]] = {}
    for entity in entities:
        found.setdefault(entity.words[case], []).append(entity)
    return found
