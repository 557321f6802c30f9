"""What autograd keeps of each part until the backward pass.

The rows follow from one rule: a product keeps both factors, and an
activation its argument or its result. They were checked against what
PyTorch saves, tensor by tensor.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
    Softcapped,
)
from scratchlm.model.attention.masks import CAUSAL
from scratchlm.model.block.feedforward import MLP, GatedMLP, SwiGLU
from scratchlm.model.block.kernels.fused_feedforward import FusedSwiGLU
from scratchlm.model.block.kernels.fused_rms_norm import FusedRMSNorm
from scratchlm.model.block.norm import (
    LayerNorm,
    RMSNorm,
    norm_all_heads,
    norm_each_head,
)
from scratchlm.model.efficient_attention.tiled_attention import Tiled
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.published.kernel_parts import DEFINITIONS
from scratchlm.model.published.part_costs import (
    Config,
    Given,
    no_formula,
    read,
)
from scratchlm.model.transformer.head import LinearHead, SoftcappedHead
from scratchlm.model.transformer.transformer import Part


class Shape(NamedTuple):
    """What flows through a model.

    Args:
        batch_size: B.
        n_tokens: T.
        dtype: of the numbers.
    """

    batch_size: int
    n_tokens: int
    dtype: torch.dtype

    @property
    def tokens(self) -> int:
        """B times T."""
        return self.batch_size * self.n_tokens

    @property
    def pairs(self) -> int:
        """B times T times T."""
        return self.tokens * self.n_tokens


def kept(part: Part, config: Config, shape: Shape) -> int:
    """Return the bytes that one part keeps.

    Args:
        part: a class, or ``functools.partial`` of one.
        config: of the model.
        shape: of what flows through it.

    Raises:
        ValueError: there is no formula for this part.
    """
    maker, given = read(part)
    if maker not in KEPT:  # most kernels keep what their definition does
        maker = DEFINITIONS.get(maker, maker)
    if maker not in KEPT:
        raise no_formula(maker)
    return KEPT[maker](config, given, shape)


def _attention(c: Config, given: Given, shape: Shape) -> int:
    own = shape.tokens * c.d_model * shape.dtype.itemsize
    norm = given.get("qk_norm")
    return own + (kept(norm, c, shape) if norm else 0)


def _norm_of_heads(c: Config, given: Given, shape: Shape, n_means: int) -> int:
    width = (c.n_heads + c.n_kv_heads) * c.d_head
    fused = given.get("norm") is FusedRMSNorm
    return (_fused_rms_norm if fused else _rms_norm)(shape, width, n_means)


def _rms_norm(shape: Shape, width: int, n_means: int) -> int:
    # What it reads and the normed vectors, both in float32.
    return shape.tokens * 4 * (2 * width + n_means)


def _fused_rms_norm(shape: Shape, width: int, n_means: int) -> int:
    return shape.tokens * (width * shape.dtype.itemsize + 4 * n_means)


def _tiled(c: Config, given: Given, shape: Shape) -> int:
    numbers = 2 * (c.n_heads + c.n_kv_heads) * c.d_head
    return shape.tokens * (numbers * shape.dtype.itemsize + 4 * c.n_heads)


def _kernel(c: Config, given: Given, shape: Shape) -> int:
    mask = given.get("mask", CAUSAL)
    # The kernel knows a causal square; any other mask it gets as numbers.
    told = mask.hides(shape.n_tokens, shape.n_tokens) == "more"
    numbers = told * shape.n_tokens**2
    return _tiled(c, given, shape) + numbers * shape.dtype.itemsize


def _scored(c: Config, shape: Shape, n_adjusted: int) -> int:
    size = shape.dtype.itemsize
    # Queries, keys and values for each query head, and the mixed values.
    rows = 4 * shape.tokens * c.n_heads * c.d_head * size
    # The softmax answers in float32, and in half precision a copy of that
    # multiplies the values.
    weights = 4 + (size if size < 4 else 0)
    squares = c.n_heads * shape.pairs * (n_adjusted * size + weights)
    return rows + squares + shape.n_tokens**2


def _between(c: Config, shape: Shape, n_inside: int) -> int:
    numbers = c.d_model + n_inside * c.d_ff
    return shape.tokens * numbers * shape.dtype.itemsize


def _layer_norm(c: Config, given: Given, shape: Shape) -> int:
    # The mean, and one over the deviation.
    return shape.tokens * (c.d_model * shape.dtype.itemsize + 4 * 2)


def _head(c: Config, given: Given, shape: Shape) -> int:
    return shape.tokens * c.d_model * shape.dtype.itemsize


def _softcapped_head(c: Config, given: Given, shape: Shape) -> int:
    numbers = c.d_model + c.vocab_size
    return shape.tokens * numbers * shape.dtype.itemsize


KEPT: dict[Part, Callable[[Config, Given, Shape], int]] = {
    Attention: _attention,
    norm_each_head: lambda c, given, shape: _norm_of_heads(
        c, given, shape, c.n_heads + c.n_kv_heads
    ),
    norm_all_heads: lambda c, given, shape: _norm_of_heads(c, given, shape, 2),
    DotProduct: _kernel,
    Tiled: _tiled,
    ScoredAttention: lambda c, given, shape: _scored(c, shape, 0),
    ALiBi: lambda c, given, shape: _scored(c, shape, 0),
    # The tanh keeps its result.
    Softcapped: lambda c, given, shape: _scored(c, shape, 1),
    # Each keeps what it reads; then the results of up and the activation,
    # or of gate, activation, up, and the product of the last two. The fused
    # SwiGLU makes the activation anew.
    MLP: lambda c, given, shape: _between(c, shape, 2),
    GatedMLP: lambda c, given, shape: _between(c, shape, 4),
    SwiGLU: lambda c, given, shape: _between(c, shape, 4),
    FusedSwiGLU: lambda c, given, shape: _between(c, shape, 3),
    # One over the root mean square.
    RMSNorm: lambda c, given, shape: _rms_norm(shape, c.d_model, 1),
    FusedRMSNorm: lambda c, given, shape: _fused_rms_norm(shape, c.d_model, 1),
    LayerNorm: _layer_norm,
    nn.Linear: _head,
    LinearHead: _head,
    SoftcappedHead: _softcapped_head,
}
