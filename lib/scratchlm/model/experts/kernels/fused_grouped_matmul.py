"""The products of all experts in one call."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from scratchlm.model.experts.experts import grouped_matmul


def fused_grouped_matmul(
    x: Float[Tensor, "m A"],
    weights: Float[Tensor, "E C A"],
    ends: Int[Tensor, " E"],
) -> Float[Tensor, "m C"]:
    """Apply ``grouped_matmul`` with PyTorch's kernel, where it has one.

    Args:
        x: rows, piece after piece.
        weights: one matrix for each piece.
        ends: where each piece ends; the last one is m.
    """
    if torch.is_autocast_enabled(x.device.type):
        # PyTorch's list of operations to cast does not have this one.
        half = torch.get_autocast_dtype(x.device.type)
        x, weights = x.to(half), weights.to(half)
    if _has_kernel(x, weights):
        return F.grouped_mm(x, weights.mT, offs=ends)
    return grouped_matmul(x, weights, ends)


def _has_kernel(x: Tensor, weights: Tensor) -> bool:
    if not hasattr(F, "grouped_mm"):
        return False
    # It reads 16 bytes at a time, so a row must be whole steps.
    if any(size * x.itemsize % 16 for size in weights.shape[1:]):
        return False
    # PyTorch 2.13 runs it on all three, but traces it on the first alone.
    if x.dtype == torch.bfloat16:
        return True
    kernel_types = torch.float32, torch.float16
    return x.dtype in kernel_types and not torch.compiler.is_compiling()
