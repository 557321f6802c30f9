"""Order as a penalty on distance."""

import torch
from jaxtyping import Float
from torch import Tensor

from scratchlm.model.attention.core_attention import ScoredAttention
from scratchlm.model.attention.masks import CAUSAL, Mask, distances


class ALiBi(ScoredAttention):
    """Take from each score in proportion to the distance.

    Head n of N takes ``2 ** (-8 n / N)`` for each position between query
    and key, with n from 1. That is the paper's rule for every N. Its
    released code departs from it where N is no power of two. The distance
    counts positions of the row, which within a document are the same.

    Args:
        n_heads: number of query heads N.
        mask: which keys a query may see.
        scale: factor of the scores; ``1 / sqrt(H)`` if not given.

    Source: Press, Smith and Lewis 2021, "Train Short, Test Long", sec. 3.
    """

    def __init__(
        self,
        n_heads: int,
        *,
        mask: Mask = CAUSAL,
        scale: float | None = None,
    ):
        super().__init__(n_heads, mask=mask, scale=scale)
        self.n_heads = n_heads

    def adjust(
        self, scores: Float[Tensor, "B N T S"]
    ) -> Float[Tensor, "B N T S"]:
        """Return the scores, lower the farther the key."""
        n_tokens, n_keys = scores.shape[-2:]
        head = torch.arange(1, self.n_heads + 1, device=scores.device)
        slopes = torch.exp2(-8.0 / self.n_heads * head)[:, None, None]
        back = distances(n_tokens, n_keys, scores.device)
        # Not rounded to bfloat16, which cannot tell 1000 steps from 1001.
        return scores - slopes * back
