"""Tell the model where a token stands.

Three places can carry the order: the embedding, the queries and keys (RoPE
turns them), and the scores (ALiBi, in ``alibi``). An embedding's
``max_tokens`` says how many positions it can tell apart.
"""

from collections.abc import Callable
from math import log
from sys import maxsize
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

# What attention does to queries and keys before it compares them.
Turn = Callable[[Tensor], Tensor]
# From the plain frequencies of RoPE to those of a longer context.
Scaling = Callable[[Tensor], Tensor]


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
        self, tokens: Int[Tensor, "*B T"], positions: Int[Tensor, " T"]
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
        self, tokens: Int[Tensor, "*B T"], positions: Int[Tensor, " T"]
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
        self, tokens: Int[Tensor, "*B T"], positions: Int[Tensor, " T"]
    ) -> Float[Tensor, "*B T D"]:
        """Return ``sqrt(D)`` times the token's vector plus the waves.

        The factor is the paper's (sec. 3.4): the waves have size 1, and an
        embedding drawn with deviation ``1 / sqrt(D)`` then has it too.
        """
        x = self.tokens(tokens)
        angles = self.angles(positions)
        waves = torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)
        return x * x.shape[-1] ** 0.5 + waves.to(x.dtype)


def rope_frequencies(d_head: int, theta: float) -> Float[Tensor, " pairs"]:
    """Return how far each pair of axes turns from one position to the next.

    Args:
        d_head: number of axes, even; two of them make a pair.
        theta: the slowest pair turns by about ``1 / theta`` radians.

    Raises:
        ValueError: ``d_head`` is odd, so one axis has no partner.

    Source: Su et al. 2021, "RoFormer", eq. 15.
    """
    if d_head % 2:
        raise ValueError(
            f"{d_head} axes cannot be turned in pairs; use an even width"
        )
    # On the CPU even inside `torch.device("meta")`: a frequency is no
    # parameter, so no checkpoint would bring it back.
    pair = torch.arange(0, d_head, 2, dtype=torch.float64, device="cpu")
    return torch.exp(pair * (-log(theta) / d_head)).float()


class Angles(nn.Module):
    """How far each pair of axes has turned at each position.

    Args:
        d_head: number of axes, even.
        theta: see :func:`rope_frequencies`.
        scaling: changes the frequencies for a longer context.

    Raises:
        ValueError: ``d_head`` is odd.
    """

    frequencies: Tensor

    def __init__(
        self, d_head: int, *, theta: float, scaling: Scaling | None = None
    ):
        super().__init__()
        self.d_head, self.theta, self.scaling = d_head, theta, scaling
        self.register_buffer("frequencies", self._compute(), persistent=False)

    def _compute(self) -> Tensor:
        plain = rope_frequencies(self.d_head, self.theta)
        return plain if self.scaling is None else self.scaling(plain)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> "Angles":
        """Follow the model to another device, but not to another type.

        bfloat16 keeps eight bits of a frequency, and the error grows with
        the position; ``to_empty`` would keep nothing.
        """
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frequencies = self._compute().to(self.frequencies.device)
        return self

    def forward(
        self, positions: Int[Tensor, " T"]
    ) -> Float[Tensor, "T pairs"]:
        """Return the angles in radians, in float32."""
        return torch.outer(positions.float(), self.frequencies)


class Rotation:
    """The turn of each position; call it on queries and on keys.

    Axis ``i`` of the first half is paired with axis ``i`` of the second,
    as in the checkpoints that people publish. Axes beyond them stay.

    Args:
        angles: of each position and pair, in radians.
        length: what every vector is multiplied by.
    """

    def __init__(
        self, angles: Float[Tensor, "T pairs"], *, length: float = 1.0
    ):
        cos, sin = angles.cos() * length, angles.sin() * length
        # Both halves at once: (a, b) becomes (a, b) cos + (b, a) (-sin, sin).
        self.cos = torch.cat((cos, cos), -1)
        self.sin = torch.cat((-sin, sin), -1)

    def __call__(self, x: Float[Tensor, "*B T H"]) -> Float[Tensor, "*B T H"]:
        """Return ``x`` with each pair turned, the last axes as they are."""
        n, wide = self.cos.shape[-1], x.shape[-1]
        if n > wide:
            raise ValueError(f"cannot turn {n} of {wide} axes; lower d_rotary")
        if n < wide:
            y = x.clone()  # laid out as x is, which a concatenation is not
            y[..., :n] = self(x[..., :n])
            return y
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        if not torch.is_grad_enabled():
            return _Turn.forward(x, cos, sin)
        return _Turn.apply(x, cos, sin)  # type: ignore[no-untyped-call]


class _Turn(torch.autograd.Function):
    """The backward of a turn is the turn back; no copy of x is kept."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        # One new tensor, laid out as x is: a second one would cost more than
        # the arithmetic, and another layout a copy behind attention.
        y, half = torch.empty_like(x), x.shape[-1] // 2
        y[..., :half], y[..., half:] = x[..., half:], x[..., :half]
        return y.mul_(sin).addcmul_(x, cos)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        back = _Turn.apply(grad, cos, -sin)  # type: ignore[no-untyped-call]
        return back, None, None


class Rotary(nn.Module):
    """RoPE: turn queries and keys by their position.

    The score of two turned vectors depends on their distance alone.

    Args:
        d_head: number of axes of a head that are turned, even.
        max_tokens: not used; a turn goes on for ever.
        theta: see :func:`rope_frequencies`.
        scaling: changes the frequencies for a longer context.

    Raises:
        ValueError: ``d_head`` is odd.

    Source: Su et al. 2021, "RoFormer", eq. 34.
    """

    def __init__(
        self,
        d_head: int,
        max_tokens: int,
        *,
        theta: float = 10_000.0,
        scaling: Scaling | None = None,
    ):
        super().__init__()
        self.angles = Angles(d_head, theta=theta, scaling=scaling)
        # YaRN makes the scores sharper by making queries and keys longer.
        self.length = float(getattr(scaling, "length", 1.0))

    def forward(self, positions: Int[Tensor, " T"]) -> Turn:
        """Return the turn for these positions, once for all layers."""
        return Rotation(self.angles(positions), length=self.length)


class NoRotation(nn.Module):
    """Leave queries and keys as they are.

    Args:
        d_head: not used; nor is ``max_tokens``.
    """

    def __init__(self, d_head: int, max_tokens: int):
        super().__init__()

    def forward(self, positions: Int[Tensor, " T"]) -> Turn:
        """Return the function that returns its argument."""
        return unturned


def unturned(x: Tensor) -> Tensor:
    """Return ``x`` as it is."""
    return x
