"""Links between documents to clusters."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

Members: TypeAlias = Int64[np.ndarray, "n"]


class UnionFind:
    """Sets of numbers that grow together where a link joins them.

    Each number points to a smaller one of its set, or to itself if it is the
    least. Many links are made at a time, in arrays.

    Args:
        n: the numbers are 0 to n - 1, at first each a set of its own.

    Source: Galler and Fischer 1964, "An Improved Equivalence Algorithm"; on
    arrays, with pointer jumping, Shiloach and Vishkin 1982, "An O(log n)
    Parallel Connectivity Algorithm".
    """

    def __init__(self, n: int):
        self.parent = np.arange(n)

    def link(self, left: Members, right: Members) -> None:
        """Join the sets of each pair; the order of the links is no matter.

        Args:
            left: one number of each link.
            right: the other.
        """
        while len(left):
            left, right = self.parent[left], self.parent[right]
            apart = left != right
            left, right = left[apart], right[apart]
            lower, higher = np.minimum(left, right), np.maximum(left, right)
            # Of several that a root is linked to, it takes the least.
            np.minimum.at(self.parent, higher, lower)
            self._flatten()

    def labels(self) -> Int64[np.ndarray, "n_docs"]:
        """The least number of each number's set."""
        return self.parent.copy()

    def _flatten(self) -> None:
        """Let each number point to its root: each pass halves the way."""
        while True:
            jumped = self.parent[self.parent]
            if np.array_equal(jumped, self.parent):
                return
            self.parent = jumped
