"""Telling: choices become text.

Stories, facts and sums are written once, as functions that call ``tell``.
Here ``tell`` draws and writes; in a :class:`Reader
<scratchlm.text.tinyworld.reading.Reader>` it reads the same
choices back from a text. Neither knows any story.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import no_type_check

from scratchlm.foundation.dice import Dice
from scratchlm.text.tinyworld.grammar import Entity, Line, Linked, Options

Filler = Entity | Options | Linked
Case = tuple[str, Mapping[str, Filler]]


class Teller:
    """What a document needs of whoever writes it or reads it.

    Args:
        lines: the lines by name.
    """

    def __init__(self, lines: Mapping[str, Line]):
        self.lines = lines
        self.log_prob = 0.0
        self.roles: dict[str, Entity] = {}
        self.words: dict[str, str] = {}
        self.state: dict[str, dict[Entity, Entity]] = {}
        self.kind = ""

    def bind(self, **roles: Entity) -> None:
        """Fill roles with entities that follow from what was chosen."""
        self.roles.update(roles)
        for role, value in roles.items():
            self.words.update(value.in_role(role))

    def tell(self, name: str, **roles: Filler) -> None:
        """Tell a line, choosing its form and who plays its roles.

        Args:
            name: the line. Each of its forms must name each role that is
                given options.
            roles: an entity, or the options to choose it from.
        """
        raise NotImplementedError

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Choose one of several lines and tell it; which one it was.

        Args:
            cases: names of lines, each with who plays its roles.
            weights: how likely each is; None makes them equally likely.
        """
        raise NotImplementedError

    def note(self, relation: str, subject: Entity, value: Entity) -> None:
        """Remember that a relation now holds."""
        self.state.setdefault(relation, {})[subject] = value


class Choices(Dice):
    """A sequence of choices, and the next one after it."""

    def __init__(self) -> None:
        self.chosen: list[tuple[int, int]] = []  # what, and of how many
        self.depth = 0
        self.below = self._next

    def _next(self, n: int) -> int:
        if self.depth == len(self.chosen):
            self.chosen.append((0, n))
        self.depth += 1
        return self.chosen[self.depth - 1][0]

    def weighted(self, weights: Sequence[int]) -> int:
        """The next position that is possible at all."""
        possible = [i for i, weight in enumerate(weights) if weight]
        return possible[self.below(len(possible))]

    def advance(self) -> bool:
        """Go to the next sequence; whether there is one."""
        self.depth = 0
        while self.chosen and self.chosen[-1][0] + 1 == self.chosen[-1][1]:
            self.chosen.pop()
        if self.chosen:
            last, n = self.chosen.pop()
            self.chosen.append((last + 1, n))
        return bool(self.chosen)


@no_type_check  # at run time, where a sentence is a dozen calls
class Writer(Teller):
    """Writes a document, drawing each choice.

    Args:
        lines: the lines by name.
        dice: make the choices.
    """

    def __init__(self, lines: Mapping[str, Line], dice: Dice):
        super().__init__(lines)
        self.dice = dice
        self.pick = dice.below
        self.pieces: list[str] = []
        self.entropy = 0.0  # of the choices, each given those before it

    def tell(self, name: str, **roles: Filler) -> None:
        """Draw who plays the roles, in order, then the form; write it."""
        self._write(name, roles)

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Draw one of the cases and tell its line."""
        if weights is None:
            chosen = self.pick(len(cases))
            self.log_prob -= log(len(cases))
            self.entropy += log(len(cases))
        else:
            chosen = self.weigh(weights)
        self._write(*cases[chosen])
        return chosen

    def weigh(self, weights: Sequence[int]) -> int:
        """Draw a position, and count its probability."""
        chosen, total = self.dice.weighted(weights), sum(weights)
        self.log_prob += log(weights[chosen] / total)
        self.entropy -= sum(w / total * log(w / total) for w in weights if w)
        return chosen

    def _write(self, name: str, roles: Mapping[str, Filler]) -> None:
        pick = self.pick
        for role, filler in roles.items():
            if isinstance(filler, Entity):
                value = filler
            else:
                options = filler.of(self.roles)
                value = options.values[pick(options.n)]
                self.log_prob += options.log_prob
                self.entropy -= options.log_prob
            self.roles[role] = value
            self.words.update(value.in_role(role))
        line = self.lines[name]
        form = line.forms[pick(line.n)]
        template = "".join([texts[pick(n)] for texts, n in form.segments])
        self.pieces.append(template % self.words)
        self.log_prob += form.log_prob
        self.entropy += line.entropy
