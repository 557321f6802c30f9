"""One sum over one count, whatever the split."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from scratchlm.model.transformer import (
    cross_entropy_sum,
    fused_cross_entropy_sum,
    fused_linear_cross_entropy_sum,
    linear_cross_entropy_sum,
)
from scratchlm.training.objective import (
    Loss,
    n_valid,
    next_token_loss,
    together,
)

V = 7
each_way = pytest.mark.parametrize(
    "summed", [linear_cross_entropy_sum, fused_linear_cross_entropy_sum]
)


def draw(n_rows, n_tokens, seed=0):
    """What a head reads from a layer, both weights, and some targets."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator).double()

    layer, head = normal(4, 4).requires_grad_(), normal(V, 4).requires_grad_()
    x = normal(n_rows, n_tokens, 4)
    targets = torch.randint(V, (n_rows, n_tokens), generator=generator)
    return x, layer, head, targets


def loss_of(x, layer, head, targets, summed):
    return next_token_loss(torch.tanh(x @ layer), head, targets, summed=summed)


@each_way
@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 6), max_size=3),
    seed=st.integers(0, 99),
)
def test_no_split_changes_the_loss_or_a_gradient(summed, lengths, cuts, seed):
    """A mean of means: each micro-batch or rank divides by its own tokens,
    so short rows weigh more, and an empty shard makes everything nan."""
    x, layer, head, targets = draw(len(lengths), 5, seed)
    for row, length in enumerate(lengths):
        targets[row, length:] = -100
    if sum(lengths) == 0:
        targets[0, 0] = 1
    whole = loss_of(x, layer, head, targets, summed)
    expected = torch.autograd.grad(whole.mean(), (layer, head))

    # Equal cuts make a shard of no rows; one of no valid tokens is added.
    edges = sorted([0, *(min(c, len(x)) for c in cuts), len(x)])
    shards = [(x[a:b], targets[a:b]) for a, b in pairwise(edges)]
    shards.append((x[:1], torch.full_like(targets[:1], -100)))
    n = n_valid(targets)
    gradients, parts = [], []
    for some, wanted in shards:
        part = loss_of(some, layer, head, wanted, summed)
        gradients.append(torch.autograd.grad(part.over(n), (layer, head)))
        parts.append(Loss(part.total.detach(), part.count))
    torch.testing.assert_close(together(parts).mean(), whole.mean().detach())
    for due, *shares in zip(expected, *gradients, strict=True):
        torch.testing.assert_close(sum(shares), due)


@pytest.mark.parametrize(
    "summed", [cross_entropy_sum, fused_cross_entropy_sum]
)
def test_nothing_to_predict_costs_nothing_and_teaches_nothing(summed):
    """0/0: one shard of padding turns the loss of the whole step into nan."""
    logits = torch.randn(2, 3, V, requires_grad=True)
    total, count = summed(logits, torch.full((2, 3), -100))
    (grad,) = torch.autograd.grad(total, logits)
    assert (total.item(), count.item()) == (0, 0)
    assert (grad == 0).all()


@each_way
def test_an_empty_shard_has_gradients_of_zeros(summed):
    """A rank without valid tokens that has no gradient at all waits for
    ever in the sum over ranks, or is refused there."""
    x, layer, head, targets = draw(1, 4)
    part = loss_of(x, layer, head, targets.fill_(-100), summed)
    for grad in torch.autograd.grad(part.over(9), (layer, head)):
        assert (grad == 0).all()


def test_the_mean_of_no_tokens_is_refused():
    """nan is a number to the code that logs it."""
    nothing = Loss(torch.tensor(0.0), torch.tensor(0))
    with pytest.raises(ValueError, match="at least one"):
        nothing.mean()
    with pytest.raises(ValueError, match="no parts"):
        together([])


@pytest.mark.parametrize("count", [0, 2])
def test_a_share_of_too_few_is_refused(count):
    """Dividing by the count of another batch: shares exceed the mean."""
    part = Loss(torch.tensor(6.0), torch.tensor(3))
    with pytest.raises(ValueError, match="all parts together"):
        part.over(count)
    assert part.over(3) == part.mean() == 2


@each_way
def test_it_is_torch_s_sum(summed):
    """Targets of another position, or a weight that is transposed."""
    x, layer, head, targets = draw(3, 4)
    targets[1, 2:] = -100
    ours = loss_of(x, layer, head, targets, summed)
    logits = (torch.tanh(x @ layer) @ head.T).flatten(0, 1)
    theirs = F.cross_entropy(logits, targets.flatten(), reduction="sum")
    torch.testing.assert_close(ours.total, theirs)
    assert ours.count == n_valid(targets) == 10


def test_torch_s_mean_of_nothing():
    """Fails when torch's behaviour changes, of which the chapter warns: the
    loss is nan and the gradients zero, so a check of gradients sees none."""
    logits = torch.randn(3, V, requires_grad=True)
    loss = F.cross_entropy(logits, torch.full((3,), -100))
    loss.backward()
    assert math.isnan(loss.item())
    assert (logits.grad == 0).all()


def linear(x, weight, targets, **chunked):
    return F.linear_cross_entropy(
        x, weight, targets, ignore_index=-100, **chunked
    )


def test_torch_s_linear_cross_entropy_of_nothing():
    """Fails when torch's behaviour changes, of which the chapter warns: in
    chunks, gradients are nan where all targets are ignored."""
    x = torch.randn(4, 8, requires_grad=True)
    weight = torch.randn(V, 8, requires_grad=True)
    options = torch.nn.LinearCrossEntropyOptions()
    nothing = torch.full((4,), -100)
    loss = linear(x, weight, nothing, options=options)
    grads = torch.autograd.grad(loss, (x, weight))
    assert all(grad.isnan().any() for grad in grads)
    ours = next_token_loss(x, weight, nothing)
    for grad in torch.autograd.grad(ours.over(1), (x, weight)):
        assert (grad == 0).all()


def test_torch_s_linear_cross_entropy_in_bfloat16():
    """Fails when torch's behaviour changes, of which the chapter warns: in
    chunks it adds up in bfloat16 and comes out far too low; ours does not."""
    torch.manual_seed(0)
    x, weight = torch.randn(512, 16) * 0.1, torch.randn(16_384, 16) * 0.1
    targets = torch.randint(16_384, (512,))
    x, weight = x.bfloat16(), weight.bfloat16()
    true = linear(x.float(), weight.float(), targets).item()
    options = torch.nn.LinearCrossEntropyOptions()
    x.requires_grad_()
    theirs = linear(x, weight, targets, options=options).item()
    ours = next_token_loss(x, weight, targets).mean().item()
    assert ours == pytest.approx(true, rel=1e-3)
    assert theirs < 0.9 * true
