"""Llama in JAX, from the same files. Chapter: book/model/transformer.md.

A model is a function of its weights here, not an object that owns them:
weights are a dictionary, and ``jax.jit`` compiles what is computed from it.
The blocks' weights lie in stacks with one axis for the layers, and
``jax.lax.scan`` compiles one block and runs it L times.

PyTorch is not needed.
"""

from dataclasses import dataclass
from functools import partial
from math import tau
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from scratchlm.interop.hf_files import (
    CONFIG,
    Problems,
    listed,
    read_settings,
    read_tensors,
)
from scratchlm.interop.hf_settings import Reader

Weights = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]


class Llama3Rope(NamedTuple):
    """Angles for longer texts. Chapter: book/model/embeddings.md.

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

    Chapter: book/model/transformer.md.

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


# Their names, and the axes as in the book; N and K stand for all heads of
# one kind side by side.
_NAMES = {
    "attention_norm": ("input_layernorm", "D"),
    "query": ("self_attn.q_proj", "ND"),
    "key": ("self_attn.k_proj", "KD"),
    "value": ("self_attn.v_proj", "KD"),
    "output": ("self_attn.o_proj", "DN"),
    "feedforward_norm": ("post_attention_layernorm", "D"),
    "gate": ("mlp.gate_proj", "FD"),
    "up": ("mlp.up_proj", "FD"),
    "down": ("mlp.down_proj", "DF"),
}
_LAYER, _HEAD = "model.layers.{}.{}.weight", "lm_head.weight"
_EMBEDDING, _NORM = "model.embed_tokens.weight", "model.norm.weight"
_ORIGINAL = "original_max_position_embeddings"
_ROPE = ("factor", "low_freq_factor", "high_freq_factor", _ORIGINAL)
# What the code below does; the first is meant where a file says nothing.
_ONLY = {
    "hidden_act": ("silu", "swish"),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "partial_rotary_factor": (1.0,),
    "quantization_config": (None,),
}


def load(folder: str | Path) -> tuple[Weights, LlamaConfig]:
    """Read the folder of a Llama model. Chapter: book/model/transformer.md.

    Args:
        folder: holds ``config.json`` and safetensors.

    Raises:
        ValueError: a file is missing or corrupt; a tensor is missing, has
            another shape than the settings say, or is of no use; or the
            model is no Llama, or one with biases, or with a scaling of the
            angles other than Llama 3's.
    """
    folder, problems = Path(folder), Problems()
    tensors = read_tensors(folder, "np", problems)
    with problems:
        reader = Reader(read_settings(folder / CONFIG), problems)
        config = _config(reader)
        if not problems.found:
            _compare(_shapes(reader, config, len(tensors)), tensors, problems)
    problems.raise_for(f"cannot load a Llama from {folder}")
    layers = range(reader.layers())
    blocks = {
        ours: jnp.stack([tensors[_LAYER.format(i, theirs)] for i in layers])
        for ours, (theirs, _) in _NAMES.items()
    }
    embedding = jnp.asarray(tensors[_EMBEDDING])
    tied = reader.flag("tie_word_embeddings", False)
    head = embedding if tied else jnp.asarray(tensors[_HEAD])
    weights = {"embedding": embedding, "blocks": blocks, "head": head}
    return weights | {"norm": jnp.asarray(tensors[_NORM])}, config


def _config(reader: Reader) -> LlamaConfig:
    reader.only("architectures", ["LlamaForCausalLM"])
    reader.only("model_type", "llama")
    table = reader.table("rope_scaling") | reader.table("rope_parameters")
    inner = Reader(table, reader.problems)
    for name, allowed in _ONLY.items():
        reader.only(name, *allowed)
        inner.only(name, *allowed)
    kind = table.get("rope_type", table.get("type", "default"))
    scaled = kind == "llama3"
    known = {"rope_type", "type", "rope_theta", *_ONLY}
    known |= set(_ROPE) if scaled else {_ORIGINAL}
    if not (scaled or kind == "default") or set(table) - known:
        reader.problems.add(f"RoPE is {table}; this reads default and llama3")
    n_heads = reader.size("num_attention_heads")
    n_kv_heads = reader.size("num_key_value_heads", n_heads)
    wide = max(reader.size("hidden_size") // n_heads, 1)
    config = LlamaConfig(
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=reader.size("head_dim", wide),
        theta=inner.number("rope_theta", reader.number("rope_theta", 1e4)),
        rope=Llama3Rope(*map(inner.number, _ROPE)) if scaled else None,
        eps=reader.number("rms_norm_eps", 1e-6),
    )
    if n_heads % n_kv_heads or config.d_head % 2:
        reader.problems.add(
            f"{n_heads} heads, {n_kv_heads} of keys, {config.d_head} wide, "
            "cannot be shared evenly and turned in pairs"
        )
    return config


def _shapes(reader: Reader, config: LlamaConfig, most: int) -> Shapes:
    """What the file has to hold, with at most so many layers."""
    names = {"D": "hidden_size", "F": "intermediate_size", "V": "vocab_size"}
    sizes = {letter: reader.size(name) for letter, name in names.items()}
    sizes["K"] = config.n_kv_heads * config.d_head
    sizes["N"] = config.n_heads * config.d_head
    axes = {_EMBEDDING: "VD", _NORM: "D"}
    if not reader.flag("tie_word_embeddings", False):
        axes[_HEAD] = "VD"
    for i in range(min(reader.layers(), most)):
        axes |= {_LAYER.format(i, n): a for n, a in _NAMES.values()}
    return {n: tuple(sizes[each] for each in a) for n, a in axes.items()}


def _compare(wanted: Shapes, given: Weights, problems: Problems) -> None:
    missing = set(wanted) - set(given)
    # A tied head may be there twice, and old files hold the angles.
    extra = set(given) - set(wanted) - {_HEAD}
    extra = {n for n in extra if not n.endswith(".rotary_emb.inv_freq")}
    told = {"missing": missing, "not part of such a Llama": extra}
    for what, names in told.items():
        if names:
            problems.add(f"{what}: {listed(names)}")
    for name in sorted(set(wanted) & set(given)):
        shape, due = given[name].shape, wanted[name]
        if shape != due:
            problems.add(f"{name} has the shape {shape}, not {due}")


def rms_norm(
    x: Float[Array, "*B D"], weight: Float[Array, " D"], eps: float
) -> Float[Array, "*B D"]:
    """Divide by the root mean square. Chapter: book/model/block.md."""
    wide = x.astype(jnp.float32)
    scale = jax.lax.rsqrt(jnp.square(wide).mean(-1, keepdims=True) + eps)
    return (weight * (wide * scale)).astype(x.dtype)


def angles(n_tokens: int, config: LlamaConfig) -> Float[Array, "T pairs"]:
    """Return how far each pair of axes has turned at each position.

    Chapter: book/model/embeddings.md.
    """
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
    """Turn each pair of axes by its angle.

    Chapter: book/model/embeddings.md.
    """
    a, b = jnp.split(x, 2, -1)
    cos = jnp.cos(turned)[:, None].astype(x.dtype)
    sin = jnp.sin(turned)[:, None].astype(x.dtype)
    return jnp.concatenate((a * cos - b * sin, b * cos + a * sin), -1)


def attention(
    block: Weights,
    x: Float[Array, "B T D"],
    turned: Float[Array, "T pairs"],
    config: LlamaConfig,
) -> Float[Array, "B T D"]:
    """Mix positions. Chapter: book/model/attention.md.

    N / K query heads in a group share one head of keys and values.
    """
    n_groups = config.n_kv_heads
    split = *x.shape[:2], -1, config.d_head
    q = rotate((x @ block["query"].T).reshape(split), turned)
    k = rotate((x @ block["key"].T).reshape(split), turned)
    v = (x @ block["value"].T).reshape(split)
    q = q.reshape(*x.shape[:2], n_groups, -1, config.d_head)
    scores = jnp.einsum("btkgh,bskh->bkgts", q, k) * config.d_head**-0.5
    causal = jnp.tri(x.shape[1], dtype=bool)
    scores = jnp.where(causal, scores.astype(jnp.float32), -jnp.inf)
    weights = jax.nn.softmax(scores).astype(v.dtype)
    mixed = jnp.einsum("bkgts,bskh->btkgh", weights, v)
    return mixed.reshape(*x.shape[:2], -1) @ block["output"].T


def feedforward(
    block: Weights, x: Float[Array, "B T D"]
) -> Float[Array, "B T D"]:
    """Work on each position alone. Chapter: book/model/block.md."""
    gate = jax.nn.silu(x @ block["gate"].T)
    return (gate * (x @ block["up"].T)) @ block["down"].T


@partial(jax.jit, static_argnames="config")
def logits(
    weights: Weights, tokens: Int[Array, "B T"], *, config: LlamaConfig
) -> Float[Array, "B T V"]:
    """Return a score for each token of the vocabulary as the next one.

    Chapter: book/model/transformer.md.

    Args:
        weights: from :func:`load`.
        tokens: ids below V.
        config: from :func:`load`.
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
