"""Several files of tokens as one sequence.

A position counts from the first token of the first file, over the borders of
files.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Int64, UInt


class TokenMaps:
    """Tokens of several arrays, one after another.

    Args:
        arrays: of one type, at least one; some may be empty.
        name: how messages call them.
    """

    def __init__(
        self, arrays: Sequence[UInt[np.ndarray, "_"]], name: str = "the maps"
    ):
        self.arrays, self.name = list(arrays), name
        self.starts = np.cumsum([0, *map(len, arrays)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def read(self, start: int, stop: int) -> UInt[np.ndarray, "T"]:
        """Tokens from one position up to another.

        Returns:
            ``stop - start`` tokens: a view where they lie in one array, a
            copy where they cross a border.

        Raises:
            ValueError: the range is not within the arrays.
        """
        if not 0 <= start <= stop <= len(self):
            raise ValueError(
                f"there are no tokens from {start} to {stop}; {self.name} "
                f"hold {len(self)}"
            )
        parts = []
        at = int(np.searchsorted(self.starts, start, "right")) - 1
        while start < stop:
            begin, end = self.starts[at : at + 2].tolist()
            until = min(stop, end)
            parts.append(self.arrays[at][start - begin : until - begin])
            start, at = until, at + 1
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([self.arrays[0][:0], *parts])

    def ranges(
        self, starts: Int[np.ndarray, "n"], lengths: Int[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "_"]:
        """Ranges of any lengths, one after another.

        Args:
            starts: positions.
            lengths: tokens of each.

        Raises:
            ValueError: a range is not within the arrays.
        """
        bounds = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
        parts = [self.read(start, stop) for start, stop in bounds]
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *parts], dtype=np.int64)

    def windows(
        self, starts: Int[np.ndarray, "B"], length: int
    ) -> Int64[np.ndarray, "B length"]:
        """Equally long ranges, each a row.

        Args:
            starts: positions, at least ``length`` before the end.
            length: tokens of each range.

        Raises:
            ValueError: a range is not within the arrays.
        """
        lengths = np.full(len(starts), length)
        return self.ranges(starts, lengths).reshape(len(starts), length)
