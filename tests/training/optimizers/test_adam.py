"""What Adam's division does, and where decay must not go through it."""

import torch
from torch import nn

from scratchlm.training.optimizers import Adam, AdamW


def after(make, gradient, steps=1, start=1.0):
    p = nn.Parameter(torch.full((len(gradient),), start))
    optimizer = make([p])
    for _ in range(steps):
        p.grad = torch.tensor(gradient)
        optimizer.step()
    return p.detach()


def test_the_first_step_is_the_rate_whatever_the_gradient():
    """Without the correction of both means the first step is 3 times as
    long as it should be, and the second ones too."""
    moved = after(lambda p: Adam(p, lr=0.01), [1e-4, 1.0, -1e4])
    torch.testing.assert_close(
        moved, torch.tensor([0.99, 0.99, 1.01]), rtol=1e-4, atol=1e-5
    )


def test_decay_through_the_gradient_spares_large_gradients():
    """Why AdamW exists: with the same setting, a weight with a hundred times
    the gradient is to decay as much as any."""
    gradient = [0.01, 1.0]

    def shrunk(make):
        with_decay = after(make(0.1), gradient, 50)
        return after(make(0.0), gradient, 50) - with_decay

    coupled = shrunk(lambda d: lambda p: Adam(p, 1e-3, weight_decay=d))
    apart = shrunk(lambda d: lambda p: AdamW(p, 1e-3, weight_decay=d))
    torch.testing.assert_close(apart[0], apart[1], rtol=0.1, atol=0)
    assert coupled.abs().max() < 0.1 * apart.min()


def test_an_entry_without_gradient_stays():
    """0 over the root of 0."""
    moved = after(lambda p: Adam(p, lr=0.01), [0.0, 1.0])
    assert moved[0] == 1.0
