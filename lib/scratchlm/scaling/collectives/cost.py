"""What a message costs: a constant, and a time for each byte."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Link:
    """The alpha-beta model of what joins two ranks.

    Args:
        alpha: seconds of a message without content, its latency.
        beta: seconds for each byte, the inverse of the bandwidth.

    Raises:
        ValueError: a time below nothing.

    Source: Hockney 1994; Thakur, Rabenseifner & Gropp 2005, section 3, whose
    formulas of the collectives these are.
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not value >= 0:
                raise ValueError(f"{name} is {value} seconds; give 0 or more")

    @property
    def half(self) -> float:
        """Bytes of the message that gets half of the bandwidth."""
        return self.alpha / self.beta

    def message(self, n: int | float) -> float:
        """Seconds of one message of n bytes."""
        return self.alpha + n * self.beta

    def tree_broadcast(self, n: int | float, size: int) -> float:
        """Seconds in which n bytes reach all W ranks by a tree."""
        return ceil(log2(size)) * self.message(n)

    def tree_all_reduce(self, n: int | float, size: int) -> float:
        """Seconds of a sum of n bytes at each of W ranks by two trees."""
        return 2 * self.tree_broadcast(n, size)

    def ring_pass(self, n: int | float, size: int) -> float:
        """Seconds of a reduce-scatter or all-gather of n bytes in all."""
        return (size - 1) * self.message(n / size)

    def ring_all_reduce(self, n: int | float, size: int) -> float:
        """Seconds of a sum of n bytes at each of W ranks around a ring."""
        return 2 * self.ring_pass(n, size)

    def crossover(self, size: int) -> float:
        """Bytes below which the tree's all-reduce is faster than the ring's.

        0 for two or three ranks, whose ring has no more rounds.

        Args:
            size: W, two or more.

        Raises:
            ValueError: fewer than two ranks, which send nothing.
        """
        if size < 2:
            raise ValueError(f"{size} ranks send nothing; give 2 or more")
        rounds = size - 1 - ceil(log2(size))  # more of them in the ring
        saved = ceil(log2(size)) - (size - 1) / size  # of each byte
        return rounds * self.alpha / (saved * self.beta)


def fit_link(sizes: Sequence[float], seconds: Sequence[float]) -> Link:
    """Fit the latency and the bandwidth to measured messages.

    Least squares of the relative error, since the sizes span many powers of
    ten and the largest would decide alone; neither time goes below 0.

    Args:
        sizes: bytes of each message.
        seconds: that each took.

    Returns:
        The link.

    Raises:
        ValueError: fewer than two sizes, or times that are not above 0.
    """
    n, t = np.asarray(sizes, float), np.asarray(seconds, float)
    if len(n) != len(t) or len({*n}) < 2:
        raise ValueError(
            f"{len(n)} sizes and {len(t)} times do not determine a line; "
            f"give one time for each of two or more sizes"
        )
    if not (t > 0).all():
        raise ValueError(
            f"a message took {t.min()} seconds; give times above 0"
        )
    rows = np.stack([np.ones_like(n), n], axis=1) / t[:, None]
    scale = rows.max(axis=0)
    found, *_ = np.linalg.lstsq(rows / scale, np.ones_like(t), rcond=None)
    alpha, beta = found / scale
    if alpha < 0 or beta < 0:  # the best line above 0 then has one of them
        alone = rows[:, int(alpha < 0)]
        only = float(alone.sum() / (alone @ alone))
        alpha, beta = (0.0, only) if alpha < 0 else (only, 0.0)
    return Link(alpha=float(alpha), beta=float(beta))
