import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scratchlm.interop import hf, jax_model


def both(folder, tokens):
    """Logits of the two models for the same tokens."""
    weights, config = jax_model.load(folder)
    theirs = jax_model.logits(
        weights, jnp.asarray(tokens.numpy()), config=config
    )
    with torch.no_grad():
        ours = hf.load(folder).model(tokens)
    return np.asarray(theirs.astype(jnp.float32)), ours.float().numpy()


@pytest.mark.parametrize("name", ["llama2", "llama3", "llama-tied"])
def test_jax_and_torch_agree(name, publish, tokens):
    """Query heads grouped with the wrong keys, angles that are not scaled,
    a head that is not the embedding."""
    one, other = both(publish(name), tokens)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_what_we_save_both_can_read(small, tokens, tmp_path):
    """Settings in the older way, and weights in several files."""
    hf.save(small, None, tmp_path, max_shard_bytes=9000)
    one, other = both(tmp_path, tokens)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_bfloat16_stays(small, tokens, tmp_path):
    """A model of half the size that is twice as large in memory; a norm or a
    softmax in bfloat16, which are off by more than rounding."""
    hf.save(small.bfloat16(), None, tmp_path)
    weights, _ = jax_model.load(tmp_path)
    kinds = {leaf.dtype for leaf in jax.tree.leaves(weights)}
    assert kinds == {jnp.dtype("bfloat16")}
    one, other = both(tmp_path, tokens)
    assert np.abs(one - other).mean() < 0.02 * np.abs(other).mean()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"architectures": ["MistralForCausalLM"]}, "reads LlamaForCausalLM"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "default and llama3"),
        ({"num_hidden_layers": 3}, r"lacks 'model.layers.2"),
        ({"num_hidden_layers": "x"}, "cannot be meant"),
        ({"num_attention_heads": 0}, "cannot be meant"),
    ],
)
def test_other_models_are_refused(edited, changes, problem):
    """A window that is ignored."""
    with pytest.raises(ValueError, match=problem):
        jax_model.load(edited("llama3", **changes))


def test_damage_is_told(edited):
    """Random weights in place of a tensor that is not there."""
    folder = edited("llama2")
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["lm_head.weight"]
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r"lacks 'lm_head.weight'"):
        jax_model.load(folder)
    path.write_bytes(b"")
    (folder / "config.json").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"(?s)cannot be read.*no object"):
        jax_model.load(folder)


def test_no_torch_is_needed(publish):
    """A reader with JAX alone, who cannot import the module."""
    code = (
        "import sys; from scratchlm.interop import jax_model\n"
        f"jax_model.load({str(publish('llama3'))!r})\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
