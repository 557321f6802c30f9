"""Read a published Llama for JAX.

PyTorch is not needed.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from scratchlm.interop.files import (
    CONFIG,
    Problems,
    read_settings,
    read_tensors,
    shortened,
)
from scratchlm.interop.jax.llama import Llama3Rope, LlamaConfig, Weights
from scratchlm.interop.number_types import one_type, tell_overflow
from scratchlm.interop.settings import (
    ORIGINAL,
    PLAIN_ROPE,
    Reader,
    rope_table,
)
from scratchlm.interop.tensor_names import compare, key_heads, unwrapped


class _Shape(NamedTuple):
    """What a file has to hold under one name."""

    shape: tuple[int, ...]


# Their names, and the axes as in the book; N and K stand for all heads of
# one kind side by side. A bias is as long as the first axis.
_ATTENTION = {
    "query": ("self_attn.q_proj", "ND"),
    "key": ("self_attn.k_proj", "KD"),
    "value": ("self_attn.v_proj", "KD"),
    "output": ("self_attn.o_proj", "DN"),
}
_FEEDFORWARD = {
    "gate": ("mlp.gate_proj", "FD"),
    "up": ("mlp.up_proj", "FD"),
    "down": ("mlp.down_proj", "DF"),
}
_NORMS = {
    "attention_norm": ("input_layernorm", "D"),
    "feedforward_norm": ("post_attention_layernorm", "D"),
}
_BIASED = {"attention_bias": _ATTENTION, "mlp_bias": _FEEDFORWARD}
_LAYER, _HEAD = "model.layers.{}.{}", "lm_head.weight"
_EMBEDDING, _NORM = "model.embed_tokens.weight", "model.norm.weight"
_ANGLES = ".rotary_emb.inv_freq"  # which old files hold, and nobody reads
_ROPE = ("factor", "low_freq_factor", "high_freq_factor")
# What `llama` does; the first is meant where a file says nothing.
_ONLY = {
    "hidden_act": ("silu", "swish"),
    "partial_rotary_factor": (1.0,),
    "quantization_config": (None,),
}


def load(
    folder: str | Path, *, dtype: str | None = None
) -> tuple[Weights, LlamaConfig]:
    """Read the folder of a Llama model.

    A head that differs from the embedding is used, with a warning, though
    the settings call the two tied.

    Args:
        folder: holds ``config.json`` and safetensors.
        dtype: name of the type that all weights get. If None, the one that
            the files have; where they have several, the one that
            ``config.json`` names.

    Raises:
        ValueError: a file is missing or corrupt; a tensor is missing, has
            another shape than the settings say, or is of no use; or the
            model is no Llama, or one with a scaling of the angles other
            than Llama 3's.
    """
    folder, problems = Path(folder), Problems()
    tensors = read_tensors(folder, "np", problems)
    whole, config = not problems.found, None
    with problems:
        reader = Reader(read_settings(folder / CONFIG), problems)
        config = _config(reader)
    if whole and not problems.found:
        tensors = _named_alike(tensors, problems)
    if config is not None and not problems.found:
        config = _with_key_heads(reader, config, tensors, problems)
        kinds = {name: array.dtype.name for name, array in tensors.items()}
        kind = one_type(kinds, reader.settings, dtype, problems)
        tensors, tied = _with_head(reader, tensors, kind)
        wanted = _shapes(reader, config, len(tensors))
        if not tied:
            wanted[_HEAD] = wanted[_EMBEDDING]
        compare(wanted, tensors, "such a Llama", problems, head=_HEAD)
        if kind is not None and not problems.found:
            tensors = _converted(tensors, kind, problems)
    problems.raise_for(f"cannot load a Llama from {folder}")
    assert config is not None
    return _stacked(reader, tensors), config


def _named_alike(tensors: Weights, problems: Problems) -> Weights:
    given = unwrapped(
        tensors, problems, prefix="model.", embedding=_EMBEDDING, head=_HEAD
    )
    return {n: array for n, array in given.items() if not n.endswith(_ANGLES)}


def _with_key_heads(
    reader: Reader, config: LlamaConfig, tensors: Weights, problems: Problems
) -> LlamaConfig:
    keys = tensors.get(_LAYER.format(0, "self_attn.k_proj.weight"))
    if keys is None:
        return config
    shape, assumed = (keys.shape[0], config.d_head), (config.n_kv_heads, None)
    found = key_heads(reader.settings, shape, assumed, problems)
    return replace(config, n_kv_heads=found)


def _with_head(
    reader: Reader, tensors: Weights, kind: str | None
) -> tuple[Weights, bool]:
    """Untie a head that the file has and that is not the embedding."""
    tied = reader.flag("tie_word_embeddings", False)
    head, embedding = tensors.get(_HEAD), tensors.get(_EMBEDDING)
    if not tied or head is None:
        return tensors, tied
    rest = {name: array for name, array in tensors.items() if name != _HEAD}
    if embedding is None:
        return rest | {_EMBEDDING: head}, True
    if kind is None or np.array_equal(
        _cast(head, kind), _cast(embedding, kind)
    ):
        return rest, True
    warnings.warn(
        f"{_HEAD} differs from {_EMBEDDING}, though tie_word_embeddings is "
        "true: each is used where it belongs. Set tie_word_embeddings to "
        "false in config.json",
        stacklevel=3,
    )
    return tensors, False


def _cast(array: np.ndarray, kind: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # it is told, with its name
        return array.astype(jnp.dtype(kind), copy=False)


def _converted(tensors: Weights, kind: str, problems: Problems) -> Weights:
    made = {name: _cast(array, kind) for name, array in tensors.items()}
    tell_overflow(
        {
            name
            for name, array in tensors.items()
            if made[name] is not array
            and (np.isinf(made[name]) & np.isfinite(array)).any()
        },
        kind,
        problems,
    )
    return made


def _stacked(reader: Reader, tensors: Weights) -> Weights:
    """Our names, and one array for all layers."""
    layers = range(reader.layers())
    blocks = {
        ours: jnp.stack([tensors[_LAYER.format(i, theirs)] for i in layers])
        for ours, (theirs, _) in _names(reader).items()
    }
    embedding = jnp.asarray(tensors[_EMBEDDING])
    head = jnp.asarray(tensors[_HEAD]) if _HEAD in tensors else embedding
    weights = {"embedding": embedding, "blocks": blocks, "head": head}
    return weights | {"norm": jnp.asarray(tensors[_NORM])}


def _names(reader: Reader) -> dict[str, tuple[str, str]]:
    """What is in each layer: ours to theirs, and the axes."""
    matrices = _ATTENTION | _FEEDFORWARD | _NORMS
    names = {o: (f"{t}.weight", axes) for o, (t, axes) in matrices.items()}
    for setting, biased in _BIASED.items():
        if reader.flag(setting, False):
            names |= {
                f"{o}_bias": (f"{t}.bias", axes[0])
                for o, (t, axes) in biased.items()
            }
    return names


def _config(reader: Reader) -> LlamaConfig:
    reader.only("architectures", ["LlamaForCausalLM"])
    reader.only("model_type", "llama")
    kind, inner = rope_table(reader)
    for name, allowed in _ONLY.items():
        reader.only(name, *allowed)
    inner.only("partial_rotary_factor", 1.0)
    scaled = kind == "llama3"
    known = PLAIN_ROPE | set(_ROPE if scaled else ())
    if kind not in ("default", "llama3") or set(inner.settings) - known:
        table = shortened(str(inner.settings), 120)
        reader.problems.add(f"RoPE is {table}; this reads default and llama3")
    n_heads = reader.size("num_attention_heads")
    n_kv_heads = reader.size("num_key_value_heads", n_heads)
    wide = max(reader.size("hidden_size") // n_heads, 1)
    config = LlamaConfig(
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_head=reader.size("head_dim", wide),
        theta=inner.number("rope_theta", reader.number("rope_theta", 1e4)),
        rope=_scaling(reader, inner) if scaled else None,
        eps=reader.number("rms_norm_eps", 1e-6),
    )
    if n_heads % n_kv_heads or config.d_head % 2:
        reader.problems.add(
            f"{n_heads} heads, {n_kv_heads} of keys, {config.d_head} wide, "
            "cannot be shared evenly and turned in pairs"
        )
    return config


def _scaling(reader: Reader, inner: Reader) -> Llama3Rope:
    longest = reader.size("max_position_embeddings")
    original = reader.size(ORIGINAL, inner.size(ORIGINAL, longest))
    factor, low, high = map(inner.number, _ROPE)
    return Llama3Rope(factor, low, high, float(original))


def _shapes(
    reader: Reader, config: LlamaConfig, most: int
) -> dict[str, _Shape]:
    """What the file has to hold, with at most so many layers."""
    names = {"D": "hidden_size", "F": "intermediate_size", "V": "vocab_size"}
    sizes = {letter: reader.size(name) for letter, name in names.items()}
    sizes["K"] = config.n_kv_heads * config.d_head
    sizes["N"] = config.n_heads * config.d_head
    axes = {_EMBEDDING: "VD", _NORM: "D"}
    for i in range(min(reader.layers(), most)):
        axes |= {_LAYER.format(i, n): a for n, a in _names(reader).values()}
    return {n: _Shape(tuple(sizes[x] for x in a)) for n, a in axes.items()}
