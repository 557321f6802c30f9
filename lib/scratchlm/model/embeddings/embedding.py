"""A vector for each token, and for its place if the embedding has the order.

An embedding's ``max_tokens`` says how many positions it can tell apart.
"""

from sys import maxsize

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.model.embeddings.angles import Angles


class TokenEmbedding(nn.Module):
    """A vector for each token; no order.

    Args:
        vocab_size: number of tokens.
        d_model: width of the residual stream.
        max_tokens: not used; an order from elsewhere has no limit here.
        scale: what the vectors are multiplied by.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        max_tokens: int,
        *,
        scale: float = 1.0,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.max_tokens, self.scale = maxsize, scale

    def forward(
        self, tokens: Int[Tensor, "*B T"], positions: Int[Tensor, "... T"]
    ) -> Float[Tensor, "*B T D"]:
        """Return the vectors of ``tokens``, wherever they stand."""
        x = self.tokens(tokens)
        return x if self.scale == 1.0 else x * self.scale


class LearnedPositions(nn.Module):
    """A learned vector for each token and each position.

    Args:
        vocab_size: number of tokens.
        d_model: width of the residual stream.
        max_tokens: number of positions that have a vector.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", sec. 2.3; first in Gehring et al. 2017.
    """

    def __init__(self, vocab_size: int, d_model: int, max_tokens: int):
        super().__init__()
        self.max_tokens = max_tokens
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(max_tokens, d_model)

    def forward(
        self, tokens: Int[Tensor, "*B T"], positions: Int[Tensor, "... T"]
    ) -> Float[Tensor, "*B T D"]:
        """Return the sum of both vectors for each token."""
        return self.tokens(tokens) + self.positions(positions)


class SinusoidalPositions(nn.Module):
    """Token vectors plus waves of many lengths.

    Args:
        vocab_size: number of tokens.
        d_model: width of the residual stream, even.
        max_tokens: not used; waves go on for ever.

    Raises:
        ValueError: ``d_model`` is odd.

    Source: Vaswani et al. 2017, "Attention Is All You Need", sec. 3.5.
    """

    def __init__(self, vocab_size: int, d_model: int, max_tokens: int):
        super().__init__()
        self.max_tokens = maxsize
        self.tokens = nn.Embedding(vocab_size, d_model)
        self.angles = Angles(d_model, theta=10_000.0)

    def forward(
        self, tokens: Int[Tensor, "*B T"], positions: Int[Tensor, "... T"]
    ) -> Float[Tensor, "*B T D"]:
        """Return ``sqrt(D)`` times the token's vector plus the waves.

        The factor is the paper's (sec. 3.4): the waves have size 1, and an
        embedding drawn with deviation ``1 / sqrt(D)`` then has it too.
        """
        x = self.tokens(tokens)
        angles = self.angles(positions)
        waves = torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)
        return x * x.shape[-1] ** 0.5 + waves.to(x.dtype)
