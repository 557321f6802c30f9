"""What a processor reaches, from a product that reads to one that computes."""

from time import perf_counter
from typing import NamedTuple

import torch

_SECONDS = 0.15  # of measuring; guessed: the fastest of many is steady


class Reached(NamedTuple):
    """The speed of one product.

    Args:
        intensity: operations for each byte of its matrices.
        flops_per_second: that were measured.
    """

    intensity: float
    flops_per_second: float


def product_intensity(n_rows: int, width: int, size: int) -> float:
    """Return the operations for each byte that a product moves.

    It multiplies ``n_rows`` rows with a square matrix: both are read once,
    and as many rows are written.

    Args:
        n_rows: tokens.
        width: D, of the rows and of the matrix.
        size: bytes of a number.

    Source: Williams, Waterman and Patterson 2009, "Roofline".
    """
    moved = size * (width * width + 2 * n_rows * width)
    return 2 * n_rows * width * width / moved


def product_rate(
    n_rows: int,
    width: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Reached:
    """Measure how fast rows are multiplied with a square matrix.

    Args:
        n_rows: tokens.
        width: D. Make the matrix larger than the caches, or it is read from
            them.
        dtype: of both.
        device: that multiplies, with the threads that PyTorch has now.

    Raises:
        ValueError: a size is below 1.
    """
    if n_rows < 1 or width < 1:
        raise ValueError(
            f"n_rows is {n_rows} and width {width}; give 1 or more"
        )
    rows = torch.ones(n_rows, width, dtype=dtype, device=device)
    matrix = torch.ones(width, width, dtype=dtype, device=device)
    best, end = float("inf"), perf_counter() + _SECONDS
    while perf_counter() < end or best == float("inf"):
        start = perf_counter()
        result = rows @ matrix
        result[0, 0].item()  # waits for the device
        best = min(best, perf_counter() - start)
    return Reached(
        product_intensity(n_rows, width, dtype.itemsize),
        2 * n_rows * width * width / best,
    )
