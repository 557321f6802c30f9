"""Several corpora in exact proportions."""

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

import numpy as np
from jaxtyping import Int, Int64

MAX_PERIOD = 100_000

# Said in full: the tests check types at run time, where 2 is no float.
Weight: TypeAlias = float | int


class Mixture:
    """Which corpus each sample comes from.

    Among the first ``n`` samples, a corpus of weight ``w`` has ``n * w`` of
    the total weight, within one sample, for every ``n``. Nothing is drawn
    and nothing is remembered: sample ``n`` is computed from ``n``.

    Args:
        weights: of each corpus by name; in any unit. As decimal fractions
            they must repeat within 100,000 samples: 0.7 and 0.3 do after 10.

    Raises:
        ValueError: there are no weights, one is not above 0, or they do not
            repeat in time.

    Source: Tijdeman 1980, "The Chairman Assignment Problem", for the bound.
    """

    def __init__(self, weights: Mapping[str, Weight]):
        self.names = tuple(weights)
        shares = _whole_shares(weights)
        self._corpus = _schedule(shares)
        self._shares = np.array(shares, np.int64)
        # How many samples of the same corpus precede each in a period.
        self._before = np.empty(len(self._corpus), np.int64)
        for corpus, share in enumerate(shares):
            self._before[self._corpus == corpus] = np.arange(share)

    @property
    def period(self) -> int:
        """Samples after which the order of corpora repeats."""
        return len(self._corpus)

    def at(
        self, samples: Int[np.ndarray, "n"]
    ) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
        """The corpus of each sample, and its number among that corpus's.

        Args:
            samples: numbers of samples, from 0.
        """
        periods, places = np.divmod(samples, len(self._corpus))
        corpora = self._corpus[places]
        numbers = periods * self._shares[corpora] + self._before[places]
        return corpora, numbers

    def counts(self, n_samples: int) -> dict[str, int]:
        """How many of the first samples each corpus gives."""
        periods, rest = divmod(n_samples, len(self._corpus))
        counts = periods * self._shares + np.bincount(
            self._corpus[:rest], minlength=len(self.names)
        )
        return dict(zip(self.names, counts.tolist(), strict=True))


def _whole_shares(weights: Mapping[str, Weight]) -> list[int]:
    """The smallest whole numbers in the proportions of the weights."""
    if not weights:
        raise ValueError("there are no weights; give one for each corpus")
    for name, weight in weights.items():
        if not 0 < weight < float("inf"):
            raise ValueError(
                f"the weight of {name!r} is {weight}; give a number above 0, "
                "or leave the corpus out"
            )
    exact = [Fraction(str(weight)) for weight in weights.values()]
    scale = lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * scale) for weight in exact]
    whole = [weight // gcd(*whole) for weight in whole]
    if sum(whole) > MAX_PERIOD:
        raise ValueError(
            f"the weights {dict(weights)} repeat after {sum(whole)} samples, "
            f"and at most {MAX_PERIOD} are kept; round them to 4 digits"
        )
    return whole


def _schedule(shares: list[int]) -> Int64[np.ndarray, "period"]:
    """One period, in which no corpus is ever a whole sample off its share.

    A corpus may come next if its debt is large enough, and of these the one
    comes whose debt would first reach the bound.
    """
    period, slack = sum(shares), max(2 * len(shares) - 2, 1)
    debts = [0] * len(shares)  # samples owed, times period and slack
    order = []
    for _ in range(period):
        for i, share in enumerate(shares):
            debts[i] += slack * share
        ready = [i for i, debt in enumerate(debts) if debt >= period]
        bound = (slack - 1) * period
        first = min(ready, key=lambda i: (bound - debts[i]) / shares[i])
        debts[first] -= slack * period
        order.append(first)
    return np.array(order, np.int64)
