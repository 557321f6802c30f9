"""From the residual stream to a score for each token."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearHead(nn.Linear):
    """One linear layer without bias.

    Args:
        d_model: width D of the residual stream.
        vocab_size: number of tokens V.
    """

    def __init__(self, d_model: int, vocab_size: int):
        super().__init__(d_model, vocab_size, bias=False)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Return the logits."""
        return super().forward(x)


class SoftcappedHead(LinearHead):
    """A head whose logits stay between ``-cap`` and ``cap``.

    Args:
        d_model: width D of the residual stream.
        vocab_size: number of tokens V.
        cap: the bound; logits far below it hardly change.

    Source: Gemma Team 2024, "Gemma 2", sec. 2.
    """

    def __init__(self, d_model: int, vocab_size: int, *, cap: float):
        super().__init__(d_model, vocab_size)
        self.cap = cap

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B V"]:
        """Return ``cap * tanh(logits / cap)``."""
        return self.cap * torch.tanh(super().forward(x) / self.cap)
