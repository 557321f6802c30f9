"""A dictionary that answers for many keys at a time."""

import numpy as np

from scratchlm.foundation.arrays import Flags, Numbers, Words

# Odd numbers without a pattern, which spread the keys over the slots (the
# first is 2**64 over the golden ratio).
_MIX = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)

VALUE = 2  # the column of a slot that holds the number


class ExactTable:
    """Numbers for keys of two words.

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
        values, taken = self._look(slots, low, high)
        at = np.flatnonzero(taken)
        slots = slots.take(at)
        while len(at):
            slots = (slots + 1) & self.last_slot
            values[at], again = self._look(slots, low[at], high[at])
            at, slots = at[again], slots[again]
        return values

    def add(self, low: Words, high: Words, values: Numbers) -> None:
        """Give numbers, 0 or more, to distinct keys that are not there."""
        total = self.n_keys + len(low)
        if 2 * total > len(self.slots):
            used = self.slots[self.slots[:, VALUE] >= 0]
            self._make_room(total)
            words = used[:, :VALUE].astype(np.uint64)
            self._insert(words[:, 0], words[:, 1], used[:, VALUE])
        self._insert(low, high, values)
        self.n_keys = total

    def _insert(self, low: Words, high: Words, values: Numbers) -> None:
        keys = np.stack([low, high], axis=1).astype(np.int64)
        slots = self._slots(low, high)
        while len(slots):
            free = self.slots[slots, VALUE] < 0
            # Of several keys for one slot, the last writer stays.
            self.slots[slots[free], VALUE] = values[free]
            mine = free & (self.slots[slots, VALUE] == values)
            self.slots[slots[mine], :VALUE] = keys[mine]
            keys, values = keys[~mine], values[~mine]
            slots = (slots[~mine] + 1) & self.last_slot

    def _make_room(self, n_keys: int) -> None:
        bits = (4 * n_keys - 1).bit_length()  # at most half full, and to grow
        self.shift = np.uint64(64 - bits)
        self.last_slot = (1 << bits) - 1
        # Two words of a key, its number, and one to fill 32 bytes, which lie
        # together in memory and which numpy copies in one step.
        self.slots = np.full((1 << bits, 4), -1, np.int64)

    def _slots(self, low: Words, high: Words) -> Numbers:
        mixed: Words = low * np.uint64(_MIX[0])
        mixed ^= mixed >> np.uint64(32)
        mixed += high
        mixed *= np.uint64(_MIX[1])
        return np.asarray(mixed >> self.shift, np.int64)

    def _look(
        self, slots: Numbers, low: Words, high: Words
    ) -> tuple[Numbers, Flags]:
        """The number in each slot, and where it is another key's."""
        found = self.slots.take(slots, axis=0)
        words = found.view(np.uint64)
        values = found[:, VALUE].copy()
        other: Flags = words[:, 0] != low
        other |= words[:, 1] != high
        other &= values >= 0
        values[other] = -1
        return values, other
