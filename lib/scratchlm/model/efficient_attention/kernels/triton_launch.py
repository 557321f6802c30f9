"""What every Triton kernel here needs before it can run.

Triton is imported by the modules whose names begin with ``triton`` and by
no other. Whether its interpreter runs the kernels is decided by Triton when
it is imported: set ``TRITON_INTERPRET=1`` before Python starts.
"""

from typing import Any

import torch
from torch import Tensor

from scratchlm.foundation.extras import import_failure

try:
    import triton as triton  # noqa: PLC0414 (others take it from here)
except ImportError as error:
    raise ImportError(
        import_failure(
            "these kernels need Triton (it exists for Linux)",
            "triton",
            error,
            otherwise="use RMSNorm and Tiled, which need PyTorch alone",
        )
    ) from error

TYPES = (torch.float32, torch.bfloat16, torch.float16)


def require_runnable(kernel: Any, *tensors: Tensor) -> None:
    """Refuse tensors that no kernel can work on.

    Args:
        kernel: compiled, unless Triton's interpreter runs it.
        tensors: all that it is given.

    Raises:
        ValueError: a tensor is not on a GPU, and no interpreter runs; or
            its type has more bits than the kernel computes with.
    """
    compiled = is_compiled(kernel)
    for tensor in tensors:
        if compiled and not tensor.is_cuda:
            raise ValueError(
                f"Triton compiles for GPUs, and a tensor is on "
                f"{tensor.device}; move it there, or start Python with "
                "TRITON_INTERPRET=1 to run the kernel slowly on the CPU"
            )
        if tensor.dtype not in TYPES:
            raise ValueError(
                f"a tensor is {tensor.dtype}, and the kernel computes in "
                "float32; use RMSNorm or Tiled, which keep the type"
            )


def is_compiled(kernel: Any) -> bool:
    """Return whether a GPU will run it, and not Triton's interpreter."""
    return isinstance(kernel, triton.JITFunction)


def padded(width: int, *, least: int = 1) -> int:
    """Return the power of two that holds ``width``.

    A kernel's ranges have such lengths; what lies beyond is masked.

    Args:
        width: at least 1.
        least: a smaller result is raised to it, a power of two; the matrix
            units of a GPU multiply tiles of 16 and more.
    """
    return max(least, 1 << (width - 1).bit_length())
