import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scratchlm.interop import hf


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"architectures": ["MistralForCausalLM"]}, "reads .'LlamaForCausal"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "default and llama3"),
        (
            {
                "rope_parameters": None,
                "rope_scaling": {"type": "linear", "factor": 8.0},
            },
            "default and llama3",
        ),
        ({"rope_parameters": {"factor": 8.0}}, "factor and no rope_type"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_r"),
        ({"attention_bias": True}, "missing: .*k_proj.bias"),
        ({"mlp_bias": True}, "missing: .*down_proj.bias"),
        ({"num_key_value_heads": "DROP"}, "_value_heads.* write 2 into"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"num_hidden_layers": 3}, "missing: model.layers.2"),
        ({"num_hidden_layers": 10**4}, "missing: model.layers.10"),
        ({"num_hidden_layers": 1}, "not part of .*: model.layers.1"),
        ({"num_hidden_layers": "x"}, "num_hidden_layers is 'x'"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"num_attention_heads": 4.0}, "num_attention_heads is 4.0"),
        ({"num_key_value_heads": 3}, "3 of keys, .* cannot be shared"),
        ({"intermediate_size": 47}, r"has the shape \(32, 48\), not \(32"),
        ({"rms_norm_eps": "x"}, "rms_norm_eps is 'x'"),
        ({"head_dim": 7}, "7 wide, cannot be .* turned in pairs"),
    ],
)
def test_other_models_are_refused(edited, load, changes, problem):
    """A window that is ignored, a scaling under its older name, biases that
    are dropped: logits that are wrong, and nobody told."""
    with pytest.raises(ValueError, match=problem):
        load(edited("llama3", **changes))


def test_damage_is_told(edited, load):
    """Random weights in place of a tensor that is not there."""
    folder = edited("llama2")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["lm_head.weight"]
    tensors["model.layers.0.self_attn.q_proj.bias"] = torch.ones(32)
    save_file(tensors, path)
    with pytest.raises(ValueError, match="cannot load a Llama") as error:
        load(folder)
    assert str(error.value).splitlines()[1:] == [
        "  - missing: lm_head.weight; if it is the embedding, set "
        "tie_word_embeddings to true",
        "  - not part of such a Llama: model.layers.0.self_attn.q_proj.bias",
    ]
    path.write_bytes(b"")
    (folder / "config.json").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"(?s)cannot be read.*no object"):
        load(folder)


def test_null_is_the_default(edited, tokens, logits_of):
    """A file that names each setting, refused for those it leaves open."""
    nulls = dict.fromkeys(("attention_bias", "mlp_bias", "rope_scaling"))
    folder = edited("llama-tied", **nulls, hidden_act=None)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors, path)
    given = logits_of(folder, tokens)
    with torch.no_grad():
        ours = hf.load(folder).model(tokens)
    np.testing.assert_allclose(given, ours, rtol=0, atol=1e-4)


def test_no_torch_is_needed(publish):
    """A reader with JAX alone, who cannot import the modules."""
    code = (
        "import sys; from scratchlm.interop.jax import load\n"
        f"load({str(publish('llama3'))!r})\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def other_head(tensors):
    """A head that is not the embedding."""
    table = tensors["model.embed_tokens.weight"]
    tensors["lm_head.weight"] = table.flip(0).contiguous()


def mixed(tensors):
    """Matrices in bfloat16 beside the rest in float32."""
    for name, tensor in tensors.items():
        if "proj" in name:
            tensors[name] = tensor.bfloat16()


def wrapped(tensors):
    """Names as torch.compile leaves them."""
    for name in list(tensors):
        tensors[f"_orig_mod.{name}"] = tensors.pop(name)


@torch.no_grad()
@pytest.mark.parametrize(
    ("change", "rope", "told"),
    [
        (other_head, {}, "differs from"),
        (wrapped, {}, "left out of names"),
        (dict, {"rope_type": "default"}, None),
        (dict, {"rope_type": "default", "factor": 2.0}, "does not use"),
    ],
)
def test_files_mean_what_they_mean_to_torch(
    request, change, rope, told, tokens
):
    """A head that is dropped because the settings say tied; 28,058
    characters of names with a wrapper's prefix."""
    rewritten = request.getfixturevalue("rewritten")
    logits_of = request.getfixturevalue("logits_of")
    folder = rewritten("llama-tied", change, rope_scaling=rope)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = logits_of(folder, tokens)
        heard = [str(each.message) for each in caught]
        expected = hf.load(folder).model(tokens).numpy()
    assert len(heard) == (told is not None)
    assert told is None or told in heard[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_mixed_types_become_one(rewritten, load, logits_of, tokens):
    """A load that succeeds, and a TypeError in the first pass."""
    import jax

    folder = rewritten("llama-tied", mixed, dtype="bfloat16")
    weights, _ = load(folder)
    kinds = {leaf.dtype.name for leaf in jax.tree.leaves(weights)}
    assert kinds == {"bfloat16"}
    exact = logits_of(folder, tokens, dtype="float32")
    assert np.abs(logits_of(folder, tokens) - exact).mean() < 0.05
    folder = rewritten("llama-tied", mixed, dtype="DROP")
    with pytest.raises(ValueError, match="several types"):
        load(folder)
    with pytest.raises(ValueError, match="dtype is int8; use"):
        load(folder, dtype="int8")


def test_numbers_that_no_weight_can_be_are_told(rewritten, load):
    """An overflow to infinity; eight bits without their scales."""

    def enlarge(tensors):
        tensors["model.norm.weight"][0] = 70_000.0

    folder = rewritten("llama-tied", enlarge)
    with pytest.raises(ValueError, match=r"norm.* too large for float16"):
        load(folder, dtype="float16")

    def squeeze(tensors):
        name = "model.layers.0.mlp.up_proj.weight"
        tensors[name] = tensors[name].to(torch.float8_e4m3fn)

    with pytest.raises(ValueError, match=r"up_proj.* hold F8_E4M3.*16-bit"):
        load(rewritten("llama-tied", squeeze))
