"""Read a published Llama for JAX.

PyTorch is not needed.
"""

from pathlib import Path

import jax.numpy as jnp

from scratchlm.interop.files import (
    CONFIG,
    Problems,
    listed,
    read_settings,
    read_tensors,
)
from scratchlm.interop.jax.llama import Llama3Rope, LlamaConfig, Weights
from scratchlm.interop.settings import Reader

Shapes = dict[str, tuple[int, ...]]
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
# What `llama` does; the first is meant where a file says nothing.
_ONLY = {
    "hidden_act": ("silu", "swish"),
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "partial_rotary_factor": (1.0,),
    "quantization_config": (None,),
}


def load(folder: str | Path) -> tuple[Weights, LlamaConfig]:
    """Read the folder of a Llama model.

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
