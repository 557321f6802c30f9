"""Draws that are the same everywhere."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


class Dice:
    """Chance, from a generator that is the same everywhere.

    ``random()`` alone is used: of all that the generator offers, it alone is
    documented to give the same numbers in every version of Python.

    Args:
        rng: the generator.
    """

    def __init__(self, rng: Random):
        uniform = rng.random
        self.below: Callable[[int], int] = lambda n: int(uniform() * n)

    def weighted(self, weights: Sequence[int]) -> int:
        """A position, as likely as its weight."""
        drawn = self.below(sum(weights))
        return sum(total <= drawn for total in accumulate(weights))

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def some(self, items: Sequence[Item], n: int) -> list[Item]:
        """n different items, in any order; all of them if there are fewer."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(n) if left]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All items, in any order."""
        return self.some(items, len(items))
