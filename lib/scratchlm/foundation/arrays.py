"""Kinds of arrays, and ranges laid end to end."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int, Int64, UInt64

Words: TypeAlias = UInt64[np.ndarray, "_"]
Numbers: TypeAlias = Int[np.ndarray, "_"]
Flags: TypeAlias = Bool[np.ndarray, "_"]


def spans(
    starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
) -> Int64[np.ndarray, "_"]:
    """The numbers of ranges, one range after another.

    Args:
        starts: the first number of each range.
        lengths: how many numbers it has, 0 or more.

    >>> spans(np.array([10, 20]), np.array([3, 2])).tolist()
    [10, 11, 12, 20, 21]
    """
    before = np.cumsum(lengths) - lengths  # numbers of all earlier ranges
    numbers = np.repeat(starts - before, lengths)
    numbers += np.arange(len(numbers))
    return numbers
