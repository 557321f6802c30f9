import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from scratchlm.interop import hf
from scratchlm.interop.jax.llama import logits
from scratchlm.interop.jax.weights import load


def both(folder, tokens):
    """Logits of the two models for the same tokens."""
    weights, config = load(folder)
    theirs = logits(weights, jnp.asarray(tokens.numpy()), config=config)
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
    weights, _ = load(tmp_path)
    kinds = {leaf.dtype for leaf in jax.tree.leaves(weights)}
    assert kinds == {jnp.dtype("bfloat16")}
    one, other = both(tmp_path, tokens)
    assert np.abs(one - other).mean() < 0.02 * np.abs(other).mean()
