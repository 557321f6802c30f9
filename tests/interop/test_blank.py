import pytest
import torch

from scratchlm.interop import hf
from scratchlm.interop.blank import blank, fill, state_of
from scratchlm.model.published import presets
from scratchlm.model.transformer.transformer import Transformer


def test_the_largest_model_takes_no_memory():
    """800 GB for a moment, before the file is opened."""
    model = blank(presets.llama3("405B"))
    assert all(weight.is_meta for weight in model.parameters())


@pytest.mark.parametrize("name", ["gpt2", "llama-tied"])
def test_a_filled_model_is_the_model(name, publish, tokens):
    """A tie that is cut when each name is given its tensor; frequencies of
    RoPE that are in no file, and stay without a value."""
    model = Transformer(hf.load(publish(name)).model.config)
    copy = blank(model.config)
    fill(copy, state_of(model))
    assert copy.head.weight is copy.embedding.tokens.weight
    assert copy.head.weight.data_ptr() == model.head.weight.data_ptr()
    with torch.no_grad():
        assert torch.equal(copy(tokens), model(tokens))


def test_drawing_goes_on_outside(small):
    """A model that is made later, and whose weights are what the memory
    held before."""
    blank(small.config)
    weights = torch.nn.Linear(64, 64).weight
    assert 0.05 < weights.std() < 0.1
