"""Llama in JAX, from the same files.

A model is a function of its weights here, not an object that owns them:
weights are a dictionary, and ``jax.jit`` compiles what is computed from it.
The blocks' weights lie in stacks with one axis for the layers, and
``jax.lax.scan`` compiles one block and runs it L times. ``weights`` reads
them. PyTorch is not needed.
"""

from dataclasses import dataclass
from functools import partial
from math import tau
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

Weights = dict[str, Any]


class Llama3Rope(NamedTuple):
    """Angles for longer texts.

    Args:
        factor: how many times longer the texts become.
        low: turns up to which a pair of axes is slowed in full.
        high: turns from which on a pair is kept.
        original: length of the texts that the model was trained on.
    """

    factor: float
    low: float
    high: float
    original: float


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """What the functions must know at compile time.

    Args:
        n_heads: number of query heads N.
        n_kv_heads: number of key and value heads K, a divisor of N.
        d_head: width H of a head.
        theta: the slowest pair of axes turns by about ``1 / theta``.
        rope: a scaling of the angles, or None.
        eps: added to the mean square in norms.
    """

    n_heads: int
    n_kv_heads: int
    d_head: int
    theta: float
    rope: Llama3Rope | None
    eps: float


def rms_norm(
    x: Float[Array, "*B D"], weight: Float[Array, " D"], eps: float
) -> Float[Array, "*B D"]:
    """Divide by the root mean square."""
    wide = x.astype(jnp.float32)
    scale = jax.lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + eps)
    return (weight * (wide * scale)).astype(x.dtype)


def angles(n_tokens: int, config: LlamaConfig) -> Float[Array, "T pairs"]:
    """Return how far each pair of axes has turned at each position."""
    pairs = np.arange(0, config.d_head, 2) / config.d_head
    frequencies = config.theta**-pairs
    if config.rope is not None:
        factor, low, high, original = config.rope
        turns = original * frequencies / tau
        kept = np.clip((turns - low) / (high - low), 0, 1)
        frequencies = frequencies * (kept + (1 - kept) / factor)
    positions = jnp.arange(n_tokens, dtype=jnp.float32)
    return jnp.outer(positions, jnp.asarray(frequencies, jnp.float32))


def rotate(
    x: Float[Array, "B T heads H"], turned: Float[Array, "T pairs"]
) -> Float[Array, "B T heads H"]:
    """Turn each pair of axes by its angle."""
    a, b = jnp.split(x, 2, -1)
    cos = jnp.cos(turned)[:, None].astype(x.dtype)
    sin = jnp.sin(turned)[:, None].astype(x.dtype)
    return jnp.concatenate((a * cos - b * sin, b * cos + a * sin), -1)


def linear(
    block: Weights, name: str, x: Float[Array, "B T n"]
) -> Float[Array, "B T m"]:
    """Multiply by a matrix, and add its bias where the model has one."""
    y = x @ block[name].T
    bias = block.get(f"{name}_bias")
    return y if bias is None else y + bias


def attention(
    block: Weights,
    x: Float[Array, "B T D"],
    turned: Float[Array, "T pairs"],
    config: LlamaConfig,
) -> Float[Array, "B T D"]:
    """Mix positions.

    N / K query heads in a group share one head of keys and values.
    """
    n_groups = config.n_kv_heads
    split = *x.shape[:2], -1, config.d_head
    q = rotate(linear(block, "query", x).reshape(split), turned)
    k = rotate(linear(block, "key", x).reshape(split), turned)
    v = linear(block, "value", x).reshape(split)
    q = q.reshape(*x.shape[:2], n_groups, -1, config.d_head)
    scores = jnp.einsum("btkgh,bskh->bkgts", q, k) * config.d_head**-0.5
    causal = jnp.tri(x.shape[1], dtype=bool)
    scores = jnp.where(causal, scores.astype(jnp.float32), -jnp.inf)
    weights = jax.nn.softmax(scores).astype(v.dtype)
    mixed = jnp.einsum("bkgts,bskh->btkgh", weights, v)
    return linear(block, "output", mixed.reshape(*x.shape[:2], -1))


def feedforward(
    block: Weights, x: Float[Array, "B T D"]
) -> Float[Array, "B T D"]:
    """Work on each position alone."""
    gate = jax.nn.silu(linear(block, "gate", x))
    return linear(block, "down", gate * linear(block, "up", x))


@partial(jax.jit, static_argnames="config")
def logits(
    weights: Weights, tokens: Int[Array, "B T"], *, config: LlamaConfig
) -> Float[Array, "B T V"]:
    """Return a score for each token of the vocabulary as the next one.

    Args:
        weights: from :func:`scratchlm.interop.jax.weights.load`.
        tokens: ids below V.
        config: from the same call.
    """
    turned = angles(tokens.shape[1], config)

    def step(x: Array, block: Weights) -> tuple[Array, None]:
        read = rms_norm(x, block["attention_norm"], config.eps)
        x = x + attention(block, read, turned, config)
        read = rms_norm(x, block["feedforward_norm"], config.eps)
        return x + feedforward(block, read), None

    x = weights["embedding"][tokens]
    x, _ = jax.lax.scan(step, x, weights["blocks"])
    return rms_norm(x, weights["norm"], config.eps) @ weights["head"].T
