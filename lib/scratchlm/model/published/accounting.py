"""Parameters, operations and bytes of a model, before it is built.

Formulas take a configuration and nothing else; :func:`count` and
:func:`saved_bytes` look at a model that exists, and prove them.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.published import kept_tensors
from scratchlm.model.published.part_costs import (
    NORMS,
    cost,
    keys_kept,
    keys_seen,
    no_formula,
    read,
)
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)

LAYERED = ("attention", "core", "feedforward")


class Operations(NamedTuple):
    """Additions and multiplications for one token.

    Args:
        matmuls: of a token with weights, two for each weight.
        attention: of queries with keys, and of weights with values.
    """

    matmuls: float
    attention: float

    @property
    def forward(self) -> float:
        """All of a forward pass."""
        return self.matmuls + self.attention

    @property
    def training(self) -> float:
        """All of a training step.

        A matrix product has two gradients, each a product as large.
        """
        return 3 * self.forward


def parameters(config: TransformerConfig) -> dict[str, int]:
    """Return the number of parameters in each group of parts.

    Args:
        config: of a model that need not exist.

    Returns:
        ``embedding``, ``attention``, ``feedforward``, ``norms`` and
        ``head``; what is tied counts as embedding.

    Raises:
        ValueError: there is no formula for a part.
    """
    c = config
    layers = range(c.n_layers)
    groups = {
        name: sum(cost(c.part(name, i), c).weights for i in layers)
        for name in LAYERED
    }
    head = cost(c.head, c)
    return {
        "embedding": cost(c.embedding, c).weights,
        "attention": groups["attention"] + groups["core"],
        "feedforward": groups["feedforward"],
        "norms": n_norms(c) * cost(c.norm, c).weights,
        "head": head.weights - c.tied * head.multiplied,
    }


def n_norms(config: TransformerConfig) -> int:
    """Return how many norms of the stream's width a model has.

    Args:
        config: of the model.

    Raises:
        ValueError: there is no formula for its block.
    """
    block, _ = read(config.block)
    if block not in NORMS:
        raise no_formula(block)
    return config.n_layers * NORMS[block] + 1


def count(model: nn.Module) -> int:
    """Return the number of parameters, tied ones once.

    Args:
        model: any module; one on the meta device costs no memory.
    """
    return sum(weight.numel() for weight in model.parameters())


def flops_per_token(
    config: TransformerConfig, n_tokens: int, *, hidden_too: bool = False
) -> Operations:
    """Return the operations for one token, on average over a sequence.

    Norms, activations and the softmax are left out: they are hundreds of
    times fewer. Of experts, those count that a token goes to.

    Args:
        config: of the model.
        n_tokens: length T of the sequence.
        hidden_too: count also the pairs that the mask hides, as PyTorch's
            counter does, and who compares with it.

    Raises:
        ValueError: there is no formula for a part.

    Source: Kaplan et al. 2020, "Scaling Laws for Neural Language Models",
    table 1; Chowdhery et al. 2022, "PaLM", appendix B.
    """
    matmuls, pairs = cost(config.head, config).multiplied, 0.0
    for layer in range(config.n_layers):
        attention, core, feedforward = (
            config.part(name, layer) for name in LAYERED
        )
        seen = n_tokens if hidden_too else keys_seen(core, n_tokens)
        mixing = cost(attention, config)
        matmuls += mixing.multiplied + cost(feedforward, config).multiplied
        pairs += mixing.pair * seen
    return Operations(2.0 * matmuls, 2 * pairs)


def kv_cache_bytes(
    config: TransformerConfig,
    n_tokens: int,
    dtype: torch.dtype = torch.bfloat16,
) -> int:
    """Return what keys and values of one sequence take in a cache.

    Args:
        config: of the model.
        n_tokens: positions so far; of a layer with a window, only those
            count that a query can still see.
        dtype: of the cache.

    Raises:
        ValueError: there is no formula for a part.
    """
    numbers = sum(
        cost(config.part("attention", layer), config).cached
        * keys_kept(config.part("core", layer), n_tokens)
        for layer in range(config.n_layers)
    )
    return numbers * dtype.itemsize


def activation_bytes(
    config: TransformerConfig,
    batch_size: int,
    n_tokens: int,
    dtype: torch.dtype = torch.float32,
) -> dict[str, int]:
    """Return what autograd keeps of a training step's forward pass.

    Args:
        config: of the model.
        batch_size: B.
        n_tokens: T.
        dtype: of the weights, and so of what flows.

    Returns:
        Bytes of ``attention``, ``feedforward``, ``norms``, ``head`` and
        ``loss``.

    Raises:
        ValueError: there is no formula for a part.
    """
    c, shape = config, kept_tensors.Shape(batch_size, n_tokens, dtype)
    layers = range(c.n_layers)
    groups = {
        name: sum(kept_tensors.kept(c.part(name, i), c, shape) for i in layers)
        for name in LAYERED
    }
    return {
        "attention": groups["attention"] + groups["core"],
        "feedforward": groups["feedforward"],
        "norms": n_norms(c) * kept_tensors.kept(c.norm, c, shape),
        "head": kept_tensors.kept(c.head, c, shape),
        # Of the logits the loss keeps the logarithm of their softmax.
        "loss": shape.tokens * c.vocab_size * dtype.itemsize,
    }


def saved_bytes(model: Transformer, tokens: Int[Tensor, "B T"]) -> int:
    """Measure what autograd keeps of a training step's forward pass.

    Two tensors that share their memory count once, and parameters and
    tokens not at all, since they are there anyway.

    Args:
        model: on any device that holds numbers.
        tokens: they serve as targets as well.
    """
    return saved_by(
        lambda: F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()),
        (*model.parameters(), tokens),
    )


def saved_by(forward: Callable[[], object], given: Iterable[Tensor]) -> int:
    """Measure what autograd keeps of any forward pass.

    Args:
        forward: called once.
        given: parameters and inputs, which do not count.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in given}
    saved: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        # Held, so that no later tensor can have the same address.
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        result = forward()  # held, and with it what it keeps
    assert result is not None
    return sum(
        tensor.untyped_storage().nbytes()
        for address, tensor in saved.items()
        if address not in own
    )
