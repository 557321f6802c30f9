"""Attention at its smallest: one head, no frills."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """One head over one text or a batch.

    Computes ``softmax(q k^T / sqrt(d_out)) v`` in the four lines that the
    formula has, and holds all T by T weights.

    Args:
        d_in: width of the vectors that it reads.
        d_out: width of queries, keys, values and results.
        causal: whether a position sees only itself and those before it.

    Source: Vaswani et al. 2017, "Attention Is All You Need", eq. 1.
    """

    def __init__(self, d_in: int, d_out: int, *, causal: bool = False):
        super().__init__()
        self.query = nn.Linear(d_in, d_out, bias=False)
        self.key = nn.Linear(d_in, d_out, bias=False)
        self.value = nn.Linear(d_in, d_out, bias=False)
        self.causal = causal

    def weights(
        self, x: Float[Tensor, "*B T d_in"]
    ) -> Float[Tensor, "*B T T"]:
        """Return how much each position takes of each other."""
        q, k = self.query(x), self.key(x)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if self.causal:
            future = torch.ones_like(scores, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(future, -torch.inf)
        return scores.softmax(-1)

    def forward(
        self, x: Float[Tensor, "*B T d_in"]
    ) -> Float[Tensor, "*B T d_out"]:
        """Return for each position the mixture of values that it takes."""
        return self.weights(x) @ self.value(x)
