"""Dice: fair, in range, and the same everywhere."""

import random
from collections import Counter

from scratchlm.foundation.dice import Dice


class Last(random.Random):
    """Draws the greatest number there is."""

    def random(self):
        return 1 - 2**-53


def test_dice_are_fair():
    """A weight of zero that is drawn, or a last position that never is."""
    dice = Dice(random.Random(0))
    counts = Counter(dice.weighted((1, 0, 3)) for _ in range(4000))
    assert set(counts) == {0, 2}
    assert abs(counts[0] - 1000) < 120
    assert {dice.below(3) for _ in range(100)} == {0, 1, 2}
    assert {dice.pick("ab") for _ in range(50)} == {"a", "b"}


def test_draws_stay_in_range():
    """An index one beyond the end, once in a million pages."""
    dice = Dice(Last())
    assert dice.below(10**6) == 10**6 - 1
    assert dice.pick("abc") == "c"
    assert dice.weighted((1, 2, 0)) == 1
    assert dice.shuffled([1, 2, 3]) == [3, 2, 1]


def test_some_are_different_ones():
    """An item lost at an end, or drawn twice."""
    dice = Dice(random.Random(0))
    assert sorted(dice.some("abc", 5)) == ["a", "b", "c"]
    assert len(set(dice.some(range(10), 4))) == 4
    orders = {"".join(dice.shuffled("abc")) for _ in range(100)}
    assert orders == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_draws_are_those_of_every_version():
    """Other worlds and pages after an upgrade of Python."""
    dice = Dice(random.Random(7))
    assert [dice.below(1000) for _ in range(4)] == [323, 150, 650, 72]
