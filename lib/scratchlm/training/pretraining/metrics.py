"""How much of a machine a training run uses."""

from time import perf_counter

import torch

from scratchlm.training.pretraining.precision import DTYPES

SIZE = 1024  # rows of the matrices; guessed: large enough for any core
SECONDS = 0.2


def matmul_peak(
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
    *,
    size: int = SIZE,
    seconds: float = SECONDS,
) -> float:
    """Measure how fast square matrices are multiplied, in FLOP/s.

    No training step can be faster. It is what a machine reaches, which for
    CPUs nobody publishes, and for GPUs is less than what is published.

    Args:
        dtype: of the matrices.
        device: that multiplies, with the threads that PyTorch has now.
        size: rows and columns.
        seconds: of measuring; the fastest product counts, since others wait
            for other programs.

    Raises:
        ValueError: ``size`` or ``seconds`` is not above 0.
    """
    if size < 1 or not seconds > 0:
        raise ValueError(
            f"size is {size} and seconds {seconds}; give numbers above 0"
        )
    a, b = torch.randn(2, size, size, device=device).to(dtype)
    best, end = float("inf"), perf_counter() + seconds
    _multiply(a, b)
    while perf_counter() < end or best == float("inf"):
        best = min(best, _multiply(a, b))
    return 2 * size**3 / best


def _multiply(a: torch.Tensor, b: torch.Tensor) -> float:
    if a.device.type == "cuda":
        torch.cuda.synchronize(a.device)
    start = perf_counter()
    a @ b
    if a.device.type == "cuda":
        torch.cuda.synchronize(a.device)
    return perf_counter() - start


def fastest_dtype(device: torch.device | str = "cpu") -> str:
    """Measure which type of numbers a machine multiplies fastest.

    Processors differ: with instructions for bfloat16 it is several times as
    fast as float32, and without them several times as slow.

    Args:
        device: to train on.

    Returns:
        ``"float32"`` or ``"bfloat16"``, which needs no loss scale.
    """
    peaks = {
        name: matmul_peak(DTYPES[name], device)
        for name in ("float32", "bfloat16")
    }
    return max(peaks, key=peaks.__getitem__)


def flops_utilization(
    tokens_per_second: float, flops_per_token: float, peak: float
) -> float:
    """Return the model FLOPs utilization (MFU), a part of the peak.

    Only operations count that the model asks for. What recomputation does
    again is not work done.

    Args:
        tokens_per_second: that a run reads.
        flops_per_token: of forward and backward pass.
        peak: of the machine, in FLOP/s.

    Raises:
        ValueError: ``peak`` is not above 0.

    Source: Chowdhery et al. 2022, "PaLM", section 4.1.
    """
    if not peak > 0:
        raise ValueError(f"peak is {peak}; give FLOP/s above 0")
    return tokens_per_second * flops_per_token / peak
