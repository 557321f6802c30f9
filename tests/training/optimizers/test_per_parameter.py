"""The loop over parameters, and all rules against PyTorch's."""

from functools import partial

import pytest
import torch
from torch import nn

from scratchlm.training.optimizers import SGD, Adam, AdamW, Muon, PerParameter

TORCH = torch.optim
PAIRS = {
    "sgd": (SGD, TORCH.SGD, {"lr": 0.01}),
    "momentum": (SGD, TORCH.SGD, {"lr": 0.01, "momentum": 0.9}),
    "nesterov": (
        SGD,
        TORCH.SGD,
        {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    "adam": (Adam, TORCH.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    "adamw": (
        AdamW,
        TORCH.AdamW,
        {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95)},
    ),
    "muon": (
        partial(Muon, dtype=torch.bfloat16),
        TORCH.Muon,
        {"lr": 0.02, "weight_decay": 0.1},
    ),
    "plain muon": (
        partial(Muon, dtype=torch.bfloat16),
        TORCH.Muon,
        {"lr": 0.02, "nesterov": False, "weight_decay": 0.0},
    ),
}


def descend(optimizer, parameters, steps, scales=1.0):
    targets = [torch.full_like(p, 0.5) for p in parameters]
    for step in range(steps):
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            group["lr"] *= 0.99  # as a schedule does
        loss = sum(
            (p - t).pow(4).sum() * scales * (1 + step % 3)
            for p, t in zip(parameters, targets, strict=True)
        )
        loss.backward()
        optimizer.step()


def two_copies(shapes=((6, 4), (3, 5))):
    torch.manual_seed(0)
    drawn = [torch.randn(shape) for shape in shapes]
    return tuple([nn.Parameter(d.clone()) for d in drawn] for _ in range(2))


@pytest.mark.parametrize("name", PAIRS)
def test_equals_pytorch_over_a_hundred_steps(name):
    """A bias correction that is left out fades away in a long run, and so
    does a decay that uses the rate of the step before."""
    ours, theirs, settings = PAIRS[name]
    a, b = two_copies()
    descend(ours(a, **settings), a, 100)
    descend(theirs(b, **settings), b, 100)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_resumed_equals_uninterrupted(name):
    """A state that forgets the number of steps warms up anew."""
    ours, _, settings = PAIRS[name]
    a, b = two_copies()
    whole = ours(a, **settings)
    descend(whole, a, 3)
    descend(whole, a, 3)
    first = ours(b, **settings)
    descend(first, b, 3)
    second = ours(b, **settings)
    second.load_state_dict(first.state_dict())
    descend(second, b, 3)
    for x, y in zip(a, b, strict=True):
        assert torch.equal(x, y)


def test_groups_keep_their_own_settings():
    """A decay that reaches the norms' gains."""
    (a, b), _ = two_copies()
    optimizer = AdamW(
        [{"params": [a]}, {"params": [b], "weight_decay": 0.0}],
        lr=0.1,
        weight_decay=0.5,
    )
    before = a.detach().clone(), b.detach().clone()
    a.grad, b.grad = torch.zeros_like(a), torch.zeros_like(b)
    optimizer.step()
    torch.testing.assert_close(a.detach(), before[0] * (1 - 0.1 * 0.5))
    assert torch.equal(b, before[1])


def test_a_parameter_without_a_gradient_stays():
    """A frozen weight that decays all the same."""
    (a, b), _ = two_copies()
    before = b.detach().clone()
    optimizer = AdamW([a, b], lr=0.1, weight_decay=0.5)
    a.grad = torch.ones_like(a)
    optimizer.step()
    assert torch.equal(b, before)
    assert not optimizer.state[b]


def test_a_closure_is_called_with_gradients():
    """Optimizers of torch's take one, and so its users pass one."""
    (a, _), _ = two_copies()

    def closure():
        loss = a.square().sum()
        loss.backward()
        return loss.item()

    before = a.square().sum().item()
    assert SGD([a], 0.1).step(closure) == pytest.approx(before)
    assert a.square().sum() < before


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda p: SGD(p, -1.0), "lr is -1.0"),
        (lambda p: SGD(p, 0.1, momentum=1.0), r"keeps 1\.0"),
        (lambda p: AdamW(p, 0.1, betas=(0.9, 1.5)), r"keeps 1\.5"),
        (lambda p: AdamW(p, 0.1, weight_decay=-0.1), "weight_decay is -0.1"),
        (lambda p: Adam(p, 0.1, eps=-1e-8), "eps is -1e-08"),
        (lambda p: Adam([{"params": p, "lr": -2.0}]), "lr is -2.0"),
    ],
)
def test_settings_out_of_range(make, what):
    """A negative rate climbs."""
    with pytest.raises(ValueError, match=what):
        make([nn.Parameter(torch.zeros(2, 2))])


def test_a_rule_is_asked_for():
    """A subclass that misspells its method would do nothing."""
    a = nn.Parameter(torch.zeros(1))
    a.grad = torch.ones(1)
    with pytest.raises(NotImplementedError):
        PerParameter([a], {"lr": 0.1}).step()
