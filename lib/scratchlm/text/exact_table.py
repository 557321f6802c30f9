"""A dictionary that answers for many keys at a time.

Chapter: book/text/tokenizer.md.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int, UInt64

Words: TypeAlias = UInt64[np.ndarray, "_"]
Numbers: TypeAlias = Int[np.ndarray, "_"]
Flags: TypeAlias = Bool[np.ndarray, "_"]

# Odd numbers without a pattern, which spread the keys over the slots (the
# first is 2**64 over the golden ratio).
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


class ExactTable:
    """Numbers for keys of two words. Chapter: book/text/tokenizer.md.

    A key hashes to a slot; where another key sits there, it takes the next.
    Both words of a key are compared, so an answer is never wrong.

    Args:
        n_keys: keys for which it has room at first; it grows.

    Source: Knuth 1998, "The Art of Computer Programming", volume 3,
    section 6.4, open addressing with linear probing.
    """

    def __init__(self, n_keys: int = 1 << 12):
        self.n_keys = 0
        self._make_room(max(n_keys, 1))

    def find(self, low: Words, high: Words) -> Numbers:
        """The number of each key, and -1 for a key that is not there."""
        slots = self._slots(low, high)
        values = self.values.take(slots)
        at = np.flatnonzero(self._taken(slots, low, high) & (values >= 0))
        slots = slots.take(at)
        while len(at):
            slots = (slots + 1) & self.last_slot
            values[at] = found = self.values.take(slots)
            again = self._taken(slots, low[at], high[at]) & (found >= 0)
            at, slots = at[again], slots[again]
        return values

    def add(self, low: Words, high: Words, values: Numbers) -> None:
        """Give numbers, 0 or more, to distinct keys that are not there."""
        total = self.n_keys + len(low)
        if 2 * total > len(self.values):
            used = self.values >= 0
            keys, numbers = self.keys[used], self.values[used]
            self._make_room(total)
            self._insert(keys[:, 0], keys[:, 1], numbers)
        self._insert(low, high, values)
        self.n_keys = total

    def _insert(self, low: Words, high: Words, values: Numbers) -> None:
        slots = self._slots(low, high)
        while len(slots):
            free = self.values[slots] < 0
            self.values[slots[free]] = values[free]  # the last writer stays
            mine = free & (self.values[slots] == values)
            self.keys[slots[mine], 0] = low[mine]
            self.keys[slots[mine], 1] = high[mine]
            low, high, values = low[~mine], high[~mine], values[~mine]
            slots = (slots[~mine] + 1) & self.last_slot

    def _make_room(self, n_keys: int) -> None:
        bits = (4 * n_keys - 1).bit_length()  # at most half full, and to grow
        self.shift = np.uint64(64 - bits)
        self.last_slot = (1 << bits) - 1
        self.keys = np.zeros((1 << bits, 2), np.uint64)
        self.values = np.full(1 << bits, -1, np.int64)

    def _slots(self, low: Words, high: Words) -> Numbers:
        mixed: Words = low * np.uint64(_MIX[0])
        mixed ^= mixed >> np.uint64(32)
        mixed += high
        mixed *= np.uint64(_MIX[1])
        return np.asarray(mixed >> self.shift, np.int64)

    def _taken(self, slots: Numbers, low: Words, high: Words) -> Flags:
        """Where a slot does not hold the key."""
        keys = self.keys.take(slots, axis=0)
        wrong: Flags = keys[:, 0] != low
        wrong |= keys[:, 1] != high
        return wrong
