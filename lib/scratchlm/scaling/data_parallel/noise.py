"""The noise of gradients, which ranks show without extra work."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed import ProcessGroup

from scratchlm.training.optimizers.noise import NoiseScale


class SquaredLength:
    """Sum the squares of all numbers that it is shown.

    As ``before`` of ``DataParallel`` it finds the squared length of
    this rank's own gradient, which is gone once gradients are summed.
    """

    def __init__(self) -> None:
        self._squares: list[Tensor] = []

    def __call__(self, part: Tensor) -> None:
        """Add the squares of a part of a vector.

        Args:
            part: of the vector.
        """
        self._squares.append(part.float().square().sum())

    def take(self) -> float:
        """Return the squared length of what was shown since the last call."""
        squares, self._squares = self._squares, []
        return float(sum(squares))


def noise_between_ranks(
    own: float,
    summed: float,
    n_rows: int,
    group: ProcessGroup,
) -> NoiseScale:
    """Estimate signal and noise from one step of several ranks.

    Args:
        own: squared length of this rank's gradient, of its share of the mean
            loss of all ranks.
        summed: squared length of the sum of all ranks' gradients.
        n_rows: of this rank, all with as many valid tokens as another.
        group: the ranks.

    Raises:
        ValueError: there is one rank alone, or a rank without rows.

    Source: McCandlish et al. 2018, "An Empirical Model of Large-Batch
    Training", appendix A.1.
    """
    told = torch.tensor([own, float(n_rows)], dtype=torch.float64)
    every = [torch.zeros_like(told) for _ in range(group.size())]
    dist.all_gather(every, told, group=group)
    return noise_from_lengths(
        [float(each[0]) for each in every],
        [int(each[1]) for each in every],
        summed,
    )


def noise_from_lengths(
    own: Sequence[float], n_rows: Sequence[int], summed: float
) -> NoiseScale:
    """Solve two equations of squared lengths for signal and noise.

    The gradient of ``b`` rows has the expected squared length ``signal +
    noise / b``, which holds for the rows of each rank and for all of them.

    Args:
        own: squared length of each rank's share of the gradient.
        n_rows: of each rank.
        summed: squared length of the sum of the shares.

    Raises:
        ValueError: there are fewer than two ranks, or one without rows.
    """
    if len(own) < 2 or min(n_rows) < 1:
        raise ValueError(
            f"ranks with {[*n_rows]} rows tell nothing of chance; give two "
            f"ranks or more, each with one row or more"
        )
    total = sum(n_rows)
    # A share is the mean over a rank's rows, times its part of all rows.
    small = sum(
        x * (total / b) ** 2 for x, b in zip(own, n_rows, strict=True)
    ) / len(own)
    per_row = sum(1 / b for b in n_rows) / len(own)
    noise = (small - summed) / (per_row - 1 / total)
    return NoiseScale(summed - noise / total, noise)
