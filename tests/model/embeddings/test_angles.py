from functools import partial

import pytest
import torch
from torch import nn

from scratchlm.model.embeddings.angles import Angles, rope_frequencies
from scratchlm.model.embeddings.embedding import SinusoidalPositions
from scratchlm.model.positions.rotary import Rotary


def test_frequencies_survive_the_meta_device():
    """A model built without memory, and filled from a checkpoint: what the
    checkpoint does not hold would be left as the memory was found."""
    plain = rope_frequencies(8, 1e4)
    with torch.device("meta"):
        model = nn.Sequential(Angles(8, theta=1e4), nn.Linear(2, 2))
    assert model[1].weight.is_meta
    model.to_empty(device="cpu")
    assert model[0].frequencies.equal(plain)
    # Meta tensors have no values to bring back.
    model.to("meta").to_empty(device="cpu")
    assert model[0].frequencies.equal(plain)
    assert model[0].state_dict() == {}


@pytest.mark.parametrize(
    "make",
    [
        partial(SinusoidalPositions, 7, 5, 3),
        partial(Rotary, 5, 3),
        partial(Angles, 5, theta=1e4),
    ],
)
def test_an_axis_without_a_partner_is_refused(make):
    """A shape error from the middle of the first forward pass."""
    with pytest.raises(ValueError, match="5 axes cannot be turned in pairs"):
        make()
