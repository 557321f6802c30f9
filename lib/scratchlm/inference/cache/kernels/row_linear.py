"""A linear layer for one row, as one sum for each output."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.transformer.head import LinearHead


class RowLinear(nn.Module):
    """``nn.Linear``, with another way for a single row.

    PyTorch hands even one row to a library's product of two matrices, which
    on a CPU reads the weight at half the speed of memory or less. Compiled,
    these sums read it once, each row of it in a vectorized loop, and add in
    float32. Uncompiled they would write down a product for each weight first,
    so it is for what is compiled.

    Args:
        linear: whose weight and bias it shares.
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B F"]:
        """Return ``x W^T + b``."""
        if x.numel() > x.shape[-1]:
            return F.linear(x, self.weight, self.bias)
        wide = torch.promote_types(x.dtype, torch.float32)
        y = (self.weight.to(wide) * x.flatten().to(wide)).sum(-1)
        if self.bias is not None:
            y = y + self.bias
        return y.to(x.dtype).reshape(*x.shape[:-1], -1)


def exchange_linears(model: nn.Module) -> None:
    """Put a :class:`RowLinear` in the place of each linear layer.

    Args:
        model: its layers are exchanged, their weights stay. Subclasses that
            do more than a product are left as they are.
    """
    for parent in [*model.modules()]:
        for name, child in parent.named_children():
            exact = type(child) in {nn.Linear, LinearHead}
            if exact and isinstance(child, nn.Linear):
                setattr(parent, name, RowLinear(child))
