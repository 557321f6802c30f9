"""Telling: choices become text. Chapter: book/text/corpora.md.

Stories, facts and sums are written once, as functions that call ``tell``.
Here ``tell`` draws and writes; in ``tinyworld_reading`` it reads the same
choices back from a text. Neither knows any story.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from scratchlm.text.tinyworld_grammar import Entity, Line, Linked, Options

Filler = Entity | Options | Linked
Case = tuple[str, Mapping[str, Filler]]


class Teller:
    """What a document needs of whoever writes it or reads it.

    Chapter: book/text/corpora.md.

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


class Writer(Teller):
    """Writes a document, drawing each choice. Chapter: book/text/corpora.md.

    Args:
        lines: the lines by name.
        pick: gives a number below its argument, each equally likely.
    """

    def __init__(self, lines: Mapping[str, Line], pick: Callable[[int], int]):
        super().__init__(lines)
        self.pick = pick
        self.pieces: list[str] = []
        self.entropy = 0.0  # of the choices, each given those before it

    def tell(self, name: str, **roles: Filler) -> None:
        """Draw who plays the roles, in order, then the form; write it."""
        self._write(name, roles)

    def _write(self, name: str, roles: Mapping[str, Filler]) -> None:
        for role, filler in roles.items():
            if isinstance(filler, Entity):
                value = filler
            else:
                options = filler.of(self.roles)
                value = options.values[self.pick(options.n)]
                self.log_prob += options.log_prob
                self.entropy -= options.log_prob
            self.roles[role] = value
            self.words.update(value.in_role(role))
        line = self.lines[name]
        form = line.forms[self.pick(line.n)]
        self.pieces.append(form.texts[self.pick(form.n)] % self.words)
        self.log_prob += form.log_prob
        self.entropy += line.entropy

    def tell_one(
        self, cases: Sequence[Case], weights: Sequence[int] | None = None
    ) -> int:
        """Draw one of the cases and tell its line."""
        if weights is None:
            chosen = self.pick(len(cases))
            self.log_prob -= math.log(len(cases))
            self.entropy += math.log(len(cases))
        else:
            chosen = draw_weighted(self.pick, weights)
            self.log_prob += math.log(weights[chosen] / sum(weights))
            self.entropy += entropy_of(weights)
        self._write(*cases[chosen])
        return chosen


def draw_weighted(pick: Callable[[int], int], weights: Sequence[int]) -> int:
    """A position, as likely as its weight. Chapter: book/text/corpora.md.

    Args:
        pick: gives a number below its argument, each equally likely.
        weights: one whole number per position.
    """
    drawn = pick(sum(weights))
    return sum(total <= drawn for total in accumulate(weights))


def entropy_of(weights: Sequence[int]) -> float:
    """The entropy, in nats, of a draw with these weights.

    Chapter: book/text/corpora.md.
    """
    total = sum(weights)
    return -sum(w / total * math.log(w / total) for w in weights if w)


def all_paths(
    run: Callable[[Callable[[int], int]], object],
) -> Iterator[float]:
    """Run a function once for each sequence of numbers it could pick.

    Chapter: book/text/corpora.md.

    Args:
        run: takes ``pick`` and makes its choices with it.

    Yields:
        The probability of each run's numbers, after the run.
    """
    path: list[tuple[int, int]] = []  # what was picked, below what
    while True:
        depth = 0

        def pick(n: int) -> int:
            nonlocal depth
            if depth == len(path):
                path.append((0, n))
            depth += 1
            return path[depth - 1][0]

        run(pick)
        yield math.prod(1 / n for _, n in path)
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        chosen, n = path.pop()
        path.append((chosen + 1, n))
