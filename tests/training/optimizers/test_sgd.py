"""Momentum on a slope and in a valley."""

import pytest
import torch
from torch import nn

from scratchlm.training.optimizers import SGD


def test_a_steady_gradient_is_multiplied():
    """A running mean in place of a running sum: the rate that suits plain
    steps would then suit these, and it is ten times too high."""
    p = nn.Parameter(torch.zeros(1))
    optimizer = SGD([p], 1.0, momentum=0.9)
    for _ in range(200):
        before = p.item()
        p.grad = torch.ones(1)
        optimizer.step()
    assert before - p.item() == pytest.approx(10.0, rel=1e-4)


@pytest.mark.parametrize(("rate", "ends"), [(0.19, True), (0.21, False)])
def test_a_rate_above_two_over_the_curvature_diverges(rate, ends):
    """The bound that the page derives, at a curvature of 10."""
    p = nn.Parameter(torch.ones(1))
    optimizer = SGD([p], rate)
    for _ in range(200):
        p.grad = 10 * p.detach()
        optimizer.step()
    assert (abs(p.item()) < 1e-6) == ends
