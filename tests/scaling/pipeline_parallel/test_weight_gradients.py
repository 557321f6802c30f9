"""A backward in two halves gives the gradients of one."""

import torch
from torch import nn
from torch.nn import functional as F

from scratchlm.scaling.pipeline_parallel import WeightGradients


def layers():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 6),
        nn.LayerNorm(6),
        nn.GELU(),
        nn.Linear(6, 3, bias=False),
    )


def test_both_halves_are_bit_equal_to_a_backward():
    """A transposed factor, a bias that is summed over the wrong axis, rows
    of a batch that are left out."""
    x = torch.randn(2, 5, 4)
    whole, halves = layers(), layers()
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    due = torch.randn(2, 5, 3)
    whole(one).backward(due)
    with WeightGradients() as later:
        y = halves(other)
    y.backward(due)
    later.compute()
    assert other.grad.equal(one.grad)
    for mine, expected in zip(
        halves.parameters(), whole.parameters(), strict=True
    ):
        assert mine.grad.equal(expected.grad)


def test_the_first_half_has_no_products_for_weights():
    """A split in name only: a first half that computes all, and a second
    that computes it again."""
    model, x = layers(), torch.randn(2, 5, 4, requires_grad=True)
    with WeightGradients() as later:
        y = model(x)
    y.sum().backward()
    assert x.grad is not None
    assert model[0].weight.grad is model[3].weight.grad is None
    assert model[0].bias.grad is not None  # a sum, at once
    later.compute()
    assert model[0].weight.grad is not None
    before = model[0].weight.grad.clone()
    later.compute()  # nothing is left to do
    assert model[0].weight.grad.equal(before)


def test_the_second_half_adds_to_what_is_there():
    """A micro-batch that replaces the gradient of those before it."""
    model, x = layers(), torch.randn(5, 4)
    for _ in range(2):
        with WeightGradients() as later:
            y = model(x)
        y.sum().backward()
        later.compute()
    twice = [weight.grad for weight in model.parameters()]
    model.zero_grad()
    for _ in range(2):
        model(x).sum().backward()
    for grad, weight in zip(twice, model.parameters(), strict=True):
        assert grad.equal(weight.grad)


def test_weights_that_are_computed_or_frozen_are_left_alone():
    """A product that is put off where there is no leaf to add it to, as of
    a low-rank update: the update learns nothing."""
    torch.manual_seed(0)
    base = torch.randn(3, 4)
    a, b = torch.randn(2, 4), torch.randn(3, 2)
    a.requires_grad_()
    b.requires_grad_()
    x = torch.randn(5, 4, requires_grad=True)
    with WeightGradients() as later:
        y = F.linear(x, base + b @ a) + F.linear(x, base, bias=None)
    y.sum().backward()
    later.compute()
    assert a.grad is not None
    assert b.grad is not None
    expected = torch.autograd.grad((x @ (base + b @ a).T).sum(), (a, b))
    torch.testing.assert_close((a.grad, b.grad), expected)
    assert base.grad is None


def test_without_gradients_nothing_is_kept():
    """An evaluation that fills the memory with work that nobody does."""
    model = layers()
    with torch.no_grad(), WeightGradients() as later:
        y = model(torch.randn(5, 4))
    assert not y.requires_grad
    later.compute()
    assert model[0].weight.grad is None


def test_the_first_stage_reads_no_gradient():
    """Tokens have no gradient; a first half that asks for one fails."""
    model = layers()
    with WeightGradients() as later:
        y = model(torch.randn(5, 4))
    y.sum().backward()
    later.compute()
    assert model[0].weight.grad is not None
