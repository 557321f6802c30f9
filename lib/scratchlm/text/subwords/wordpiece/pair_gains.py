"""What a merge of two tokens gains.

Three criteria, each a function from the counts of pairs to numbers of which
the largest wins. None of them rises for a pair while its own two tokens keep
their counts, on which the trainer relies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

Counts: TypeAlias = Int[np.ndarray, "_"]
Gains: TypeAlias = Float[np.ndarray, "_"]


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """What a criterion may look at.

    Args:
        both: how often each pair occurs; in *aaa*, the pair (a, a) twice.
        left: how often its left token occurs.
        right: how often its right token occurs.
        same: whether the two are the same token.
        total: tokens in the corpus.
    """

    both: Counts
    left: Counts
    right: Counts
    same: Bool[np.ndarray, "_"]
    total: int


Criterion: TypeAlias = Callable[[PairCounts], Gains]


def likelihood(counts: PairCounts) -> Gains:
    """The gain in log-likelihood when a pair becomes one token, in nats.

    Source: Schuster and Nakajima 2012, "Japanese and Korean Voice Search",
    who name the criterion; the formula is derived in the chapter.
    """
    both, left, right = counts.both, counts.left, counts.right
    shrinks = _x_log_x(left - both) - _x_log_x(left)
    shrinks_too = _x_log_x(right - both) - _x_log_x(right)
    alone = _x_log_x(left - 2 * both) - _x_log_x(left)
    total = np.array([counts.total])
    fewer = _x_log_x(total) - _x_log_x(total - both)
    parts = np.where(counts.same, alone, shrinks + shrinks_too)
    gains: Gains = parts + (_x_log_x(both) + fewer)
    return gains


def ratio(counts: PairCounts) -> Gains:
    """How much more often a pair occurs than by chance, up to a factor."""
    gains: Gains = counts.both / (counts.left * counts.right)
    return gains


def frequency(counts: PairCounts) -> Gains:
    """How often a pair occurs: byte-pair encoding's criterion."""
    return counts.both.astype(np.float64)


CRITERIA: dict[str, Criterion] = {
    "likelihood": likelihood,
    "ratio": ratio,
    "frequency": frequency,
}


def _x_log_x(count: Counts) -> Gains:
    """The term of a count in the log-likelihood; 0 at 0 (and below, which
    the overlapping pairs of *aaa* can reach)."""
    x = np.maximum(count, 0).astype(np.float64)
    term: Gains = x * np.log(np.maximum(x, 1.0))
    return term
