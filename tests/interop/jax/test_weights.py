import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scratchlm.interop import hf
from scratchlm.interop.jax.llama import logits
from scratchlm.interop.jax.weights import load


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
        ({"rope_parameters": {"factor": 8.0}}, "default and llama3"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_r"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"mlp_bias": True}, "mlp_bias is True"),
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
def test_other_models_are_refused(edited, changes, problem):
    """A window that is ignored, a scaling under its older name, biases that
    are dropped: logits that are wrong, and nobody told."""
    with pytest.raises(ValueError, match=problem):
        load(edited("llama3", **changes))


def test_damage_is_told(edited):
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
        "  - missing: lm_head.weight",
        "  - not part of such a Llama: model.layers.0.self_attn.q_proj.bias",
    ]
    path.write_bytes(b"")
    (folder / "config.json").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"(?s)cannot be read.*no object"):
        load(folder)


def test_null_is_the_default(edited, tokens):
    """A file that names each setting, refused for those it leaves open."""
    nulls = dict.fromkeys(("attention_bias", "mlp_bias", "rope_scaling"))
    folder = edited("llama-tied", **nulls, hidden_act=None)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors, path)
    weights, config = load(folder)
    given = logits(weights, tokens.numpy(), config=config)
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
