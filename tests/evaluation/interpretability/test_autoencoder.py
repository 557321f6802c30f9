import pytest
import torch
from torch.nn import functional as F

from scratchlm.evaluation.interpretability.autoencoder import (
    TopKAutoencoder,
    dead_latents,
    largest,
    rescaled,
    spliced_losses,
    train_autoencoder,
    unexplained,
)


def test_only_the_largest_are_kept():
    values = torch.tensor([[3.0, -1.0, 2.0, 0.5], [-1.0, -2.0, -3.0, 4.0]])
    expected = torch.tensor([[3.0, 0, 2.0, 0], [0, 0, 0, 4.0]])
    assert torch.equal(largest(values, 2), expected)


def test_planted_directions_are_found():
    """Sums of two of twelve directions in eight dimensions."""
    draws = torch.Generator().manual_seed(0)
    true = F.normalize(torch.randn(12, 8, generator=draws), dim=1)
    which = torch.rand(4000, 12, generator=draws).topk(2).indices
    size = 1 + torch.rand(4000, 2, generator=draws)
    codes = torch.zeros(4000, 12).scatter(1, which, size)
    x = codes @ true
    found = train_autoencoder(
        x, n_latents=24, k=2, n_steps=800, batch=256, learning_rate=5e-3
    )
    assert unexplained(found, x).mean() < 0.1
    best = (found.directions @ true.T).max(0).values
    assert (best > 0.95).float().mean() > 0.7


def test_dead_latents_are_those_without_use():
    model = TopKAutoencoder(2, 3, 1)
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-9, -9]]))
    x = torch.tensor([[1.0, 0.0], [2.0, 1.0]])
    assert dead_latents(model, x).tolist() == [False, True, True]


@torch.no_grad()
def test_splicing_everything_costs_nothing(model, tokens):
    """An autoencoder that is the identity leaves the loss as it is."""
    exact = TopKAutoencoder(16, 32, 32)
    exact.encoder.weight.copy_(torch.cat([torch.eye(16), -torch.eye(16)]))
    exact.directions.copy_(torch.cat([torch.eye(16), -torch.eye(16)]))
    whole, spliced, gone = spliced_losses(model, exact, "blocks.0", tokens)
    torch.testing.assert_close(whole, spliced, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(whole, gone)


def test_bad_sizes():
    with pytest.raises(ValueError, match="k is 4"):
        TopKAutoencoder(2, 3, 4)
    with pytest.raises(ValueError, match="0 steps"):
        train_autoencoder(torch.zeros(3, 2), n_latents=4, k=1, n_steps=0)


@torch.no_grad()
def test_a_scale_passes_through():
    torch.manual_seed(0)
    model = TopKAutoencoder(4, 9, 2)
    model.encoder.bias.copy_(torch.randn(9))
    x = torch.randn(20, 4)
    torch.testing.assert_close(rescaled(model, 3.0)(3 * x), 3 * model(x))
