import numpy as np
import pytest
import torch

from scratchlm.interop import hf


@pytest.fixture
def both(logits_of):
    """A function from a folder and tokens to the logits of two models."""

    @torch.no_grad()
    def compute(folder, tokens):
        ours = hf.load(folder).model(tokens)
        return logits_of(folder, tokens), ours.float().numpy()

    return compute


@pytest.mark.parametrize("name", ["llama2", "llama3", "llama-tied"])
def test_jax_and_torch_agree(name, publish, tokens, both):
    """Query heads grouped with the wrong keys, angles that are not scaled,
    a head that is not the embedding."""
    one, other = both(publish(name), tokens)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_what_we_save_both_can_read(small, tokens, tmp_path, both):
    """Settings in the older way, and weights in several files."""
    hf.save(small, None, tmp_path, max_shard_bytes=9000)
    one, other = both(tmp_path, tokens)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def test_bfloat16_stays(small, tokens, tmp_path, load, both):
    """A model of half the size that is twice as large in memory; a norm or a
    softmax in bfloat16, which are off by more than rounding."""
    import jax

    hf.save(small.bfloat16(), None, tmp_path)
    weights, _ = load(tmp_path)
    kinds = {leaf.dtype.name for leaf in jax.tree.leaves(weights)}
    assert kinds == {"bfloat16"}
    one, other = both(tmp_path, tokens)
    assert np.abs(one - other).mean() < 0.02 * np.abs(other).mean()


def test_biases_are_added(edited, tokens, both):
    """A model that is refused for one setting, or a bias of another
    projection."""
    model = hf.load(edited("llama3")).model
    folder = edited("llama-biased")
    one, other = both(folder, tokens)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)
    with torch.no_grad():
        assert np.abs(model(tokens).numpy() - other).max() > 0.1
