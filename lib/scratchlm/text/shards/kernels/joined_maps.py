"""Many ranges of mapped files at a time, without a step of Python for each.

Mapped files stand anywhere in one address space, each on a whole page. An
array that begins at the lowest address reaches all of them; shifts lead from
a position to its place there, and what lies between files is never read.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Int64, UInt
from numpy.lib.stride_tricks import as_strided

from scratchlm.foundation.arrays import spans
from scratchlm.text.shards.token_maps import TokenMaps


class JoinedMaps(TokenMaps):
    """What :class:`TokenMaps <scratchlm.text.shards.token_maps.TokenMaps>`
    gives, from one array over the addresses of all.

    Ranges that are read one by one take twice as long for rows of 8,192
    tokens, and more than twenty times as long for rows of 128 (measured
    here).

    Args:
        arrays: of one type, at least one; some may be empty.
        name: how messages call them.
    """

    def __init__(
        self, arrays: Sequence[UInt[np.ndarray, "_"]], name: str = "the maps"
    ):
        super().__init__(arrays, name)
        # -1 ends what lies before the first array or behind the last.
        self._ends = np.append(self.starts[1:], -1)
        filled = [array for array in self.arrays if len(array)]
        first = min(filled, key=_address, default=self.arrays[0])
        past = max((_address(a) + a.nbytes for a in filled), default=0)
        size = first.itemsize
        self._flat = as_strided(
            first,
            (max(past - _address(first), 0) // size,),
            (size,),
            writeable=False,
        )
        places = [(_address(a) - _address(first)) // size for a in self.arrays]
        self._shifts = np.array(places, np.int64) - self.starts[:-1]
        self._rows = self._every_row(1)

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another; see the base class."""
        at = np.searchsorted(self.starts, starts, "right") - 1
        if (starts + lengths > self._ends[at]).any():
            return super().ranges(starts, lengths)
        places = spans(starts + self._shifts[at], lengths)
        return np.asarray(self._flat[places].astype(np.int64))

    def windows(
        self, starts: Int[np.ndarray, "B"], length: int
    ) -> Int64[np.ndarray, "B length"]:
        """Equally long ranges, each a row; see the base class."""
        at = np.searchsorted(self.starts, starts, "right") - 1
        cross = starts + length > self._ends[at]
        if cross.any():
            out = np.empty((len(starts), length), np.int64)
            out[cross] = super().windows(starts[cross], length)
            if not cross.all():
                out[~cross] = self.windows(starts[~cross], length)
            return out
        if length != self._rows.shape[1]:
            self._rows = self._every_row(length)
        rows = self._rows[starts + self._shifts[at]]
        return np.asarray(rows.astype(np.int64))

    def _every_row(self, length: int) -> UInt[np.ndarray, "places {length}"]:
        """A row at each place: overlapping views, of which numpy copies one
        at a time."""
        return as_strided(
            self._flat,
            (max(len(self._flat) - length + 1, 0), length),
            self._flat.strides * 2,
            writeable=False,
        )


def _address(array: UInt[np.ndarray, "_"]) -> int:
    return int(array.__array_interface__["data"][0])
