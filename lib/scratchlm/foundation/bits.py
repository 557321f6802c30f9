"""Words of 64 bits without a pattern."""

import numpy as np
from jaxtyping import UInt64

# Made once: a call on few words spends its time on making them.
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def spread(
    words: UInt64[np.ndarray, "*shape"],
) -> UInt64[np.ndarray, "*shape"]:
    """Let every bit of a word depend on every bit of it.

    No two words become one, and 0 stays 0.

    Source: Stafford's thirteenth variant of the finaliser of MurmurHash3,
    as in Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number
    Generators", section 3.
    """
    words = words ^ (words >> _SHIFTS[0])
    words *= _FACTORS[0]
    words ^= words >> _SHIFTS[1]
    words *= _FACTORS[1]
    words ^= words >> _SHIFTS[2]
    return words
