"""Signal and noise where both are known."""

import math

import pytest
import torch
from torch import nn

from scratchlm.training.optimizers import noise_scale


def test_a_known_signal_in_a_known_noise():
    """The squared length of a mean of gradients taken for that of the true
    gradient: with 100 entries of noise it would be 26 and not 1."""
    generator = torch.Generator().manual_seed(0)
    n, rows, deviation = 100, 4, 1.0
    p = nn.Parameter(torch.zeros(n))
    true = torch.zeros(n)
    true[0] = 1.0

    def losses():
        for _ in range(2000):
            drawn = torch.randn(rows, n, generator=generator) * deviation
            gradients = true + drawn
            yield lambda g=gradients: (g @ p).mean()

    found = noise_scale([p], losses(), rows)
    assert found.signal == pytest.approx(1.0, rel=0.1)
    assert found.noise == pytest.approx(n * deviation**2, rel=0.02)
    assert found.n_rows == pytest.approx(100, rel=0.1)
    assert p.grad is None


def test_without_noise_one_row_is_enough():
    """Equal gradients differ by rounding alone."""
    p, unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(1))
    found = noise_scale([p, unused], [p.sum] * 3, 8)
    assert found.signal == pytest.approx(3.0)
    assert found.noise == pytest.approx(0.0, abs=1e-5)


def test_a_signal_that_noise_hides():
    """A negative estimate gives a negative batch."""
    p = nn.Parameter(torch.zeros(1))
    opposite = [p.sum, lambda: -p.sum()]
    assert math.isnan(noise_scale([p], opposite, 1).n_rows)


def test_one_batch_says_nothing():
    """0 over 0."""
    p = nn.Parameter(torch.zeros(1))
    with pytest.raises(ValueError, match="1 batches tell nothing"):
        noise_scale([p], [p.sum], 1)
