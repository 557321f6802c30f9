"""A head that uses the memory of its logits again."""

from collections import deque
from math import prod
from weakref import finalize

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scratchlm.model.transformer.head import LinearHead

# Smaller tensors the C library keeps for itself; larger ones are too much to
# hold for somebody who may never ask again.
_LEAST, _MOST = 1 << 25, 1 << 28
_ALIGNED = 64  # bytes that a core fetches at once


class LendingHead(LinearHead):
    """``LinearHead``, whose logits lie in memory that is used again.

    The logits are the largest tensor of a model. On a CPU, where no gradient
    is recorded, those of 32 to 256 MB lie in memory that the head keeps and
    lends again as soon as nobody holds the last ones.

    Args:
        d_model: width D of the residual stream.
        vocab_size: number of tokens V.
    """

    def __init__(self, d_model: int, vocab_size: int):
        super().__init__(d_model, vocab_size)
        self._lender = Lender()

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Return the logits."""
        shape = *x.shape[:-1], self.out_features
        if not self._lends(x, prod(shape) * x.dtype.itemsize):
            return super().forward(x)
        logits = self._lender.lend(shape, x.dtype)
        rows = logits.view(-1, self.out_features)
        torch.mm(x.reshape(-1, x.shape[-1]), self.weight.t(), out=rows)
        return logits

    def _lends(self, x: Tensor, n_bytes: int) -> bool:
        plain = type(x) is Tensor and type(self.weight.data) is Tensor
        special = (
            torch.is_grad_enabled()
            or torch.compiler.is_compiling()
            or torch.is_autocast_enabled("cpu")
        )
        alike = x.is_cpu and x.dtype == self.weight.dtype
        return plain and alike and not special and _LEAST <= n_bytes <= _MOST


class Lender:
    """Lend one block of memory, again and again.

    New memory of this size comes from the operating system, which clears
    each page of 4 kB when it is first written. For logits that takes as long
    as a third to two thirds of the product that fills them (measured, 2048
    rows of 8192 logits from 448 numbers, in float32 and bfloat16). A block
    comes back by itself when the last tensor on it is gone. Threads may ask
    at the same time; who finds no block at home gets a new one.
    """

    def __init__(self) -> None:
        self._home: deque[np.ndarray] = deque(maxlen=1)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """A copy of a model has memory of its own, and starts without."""
        return Lender, ()

    def lend(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return a tensor with anything in it.

        Args:
            shape: of the tensor.
            dtype: of the tensor.
        """
        n_bytes = prod(shape) * dtype.itemsize
        try:
            block = self._home.pop()
        except IndexError:
            block = np.empty(0, np.uint8)
        if block.size < n_bytes + _ALIGNED:
            block = np.empty(n_bytes + _ALIGNED, np.uint8)
        start = -block.ctypes.data % _ALIGNED
        lent = block[start : start + n_bytes]
        # The tensors hold `lent`, nobody else does; its end is theirs.
        finalize(lent, self._home.append, block).atexit = False
        return torch.from_numpy(lent).view(dtype).view(shape)
