"""A shuffle that is computed, not stored."""

import numpy as np
from jaxtyping import Int, Int64, UInt64

from scratchlm.foundation.bits import spread

ROUNDS = 8  # guessed: twice the four that Luby and Rackoff's proof asks for

# An odd constant of the generator SplitMix64 (Steele, Lea and Flood 2014).
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def shuffled(
    places: Int[np.ndarray, "n"], size: int, keys: UInt64[np.ndarray, "n"]
) -> Int64[np.ndarray, "n"]:
    """Where a shuffle of ``range(size)`` sends each place.

    One key is one permutation. It needs no memory beyond its arguments, and
    any part of it can be computed alone.

    Args:
        places: numbers below ``size``.
        size: how many there are to shuffle.
        keys: the permutation to use for each place, from :func:`mix`.

    Raises:
        ValueError: a place is not below ``size``.

    Source: Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains",
    section 5, generalised Feistel with cycle walking.
    """
    if len(places) and not 0 <= places.min() <= places.max() < size:
        raise ValueError(f"places must be 0 to {size - 1}")
    # The smallest table of n rows and n or n + 1 columns that holds them.
    rows = int(size**0.5)
    rows -= rows * rows > size
    columns = -(-size // max(rows, 1))
    out = _feistel(places.astype(np.uint64), rows, columns, keys)
    while len(outside := np.flatnonzero(out >= size)):
        out[outside] = _feistel(out[outside], rows, columns, keys[outside])
    return out.astype(np.int64)


def mix(x: UInt64[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
    """Scramble 64 bits so that each depends on all.

    Source: Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number
    Generators".
    """
    return spread(x + _GAMMA)  # wraps around, as it should


def _feistel(
    places: UInt64[np.ndarray, "n"],
    rows: int,
    columns: int,
    keys: UInt64[np.ndarray, "n"],
) -> UInt64[np.ndarray, "n"]:
    """Shift each row of a table, then each column, and so on."""
    row, column = np.divmod(places, np.uint64(columns))
    for _ in range(ROUNDS // 2):
        keys = keys + _GAMMA
        column = (column + mix(row ^ keys)) % np.uint64(columns)
        keys = keys + _GAMMA
        row = (row + mix(column ^ keys)) % np.uint64(rows)
    return row * np.uint64(columns) + column
