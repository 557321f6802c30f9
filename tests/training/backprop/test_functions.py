import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scratchlm.training.backprop.autograd import Variable
from scratchlm.training.backprop.functions import (
    cross_entropy,
    exp,
    log,
    log_softmax,
    relu,
    tanh,
)
from scratchlm.training.backprop.gradient_check import check_gradients


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("function", [exp, tanh, relu, log_softmax])
def test_gradients_equal_differences(function, rng):
    """A derivative that was remembered wrong."""
    check_gradients(function, rng.normal(size=(3, 4)))


def test_the_gradient_of_the_logarithm(rng):
    """1 / y in place of 1 / x."""
    check_gradients(log, 0.5 + rng.random((3, 4)))


def test_relu_passes_nothing_at_zero():
    """Torch's choice at the corner, which a comparison >= would change."""
    x = Variable([-1.0, 0.0, 2.0], requires_grad=True)
    relu(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 1]


def fused_and_composed(logits, targets):
    """Loss and gradient, both ways."""
    found = []
    rows = np.arange(len(targets))
    for loss_of in (
        lambda z: cross_entropy(z, targets),
        lambda z: -log_softmax(z)[rows, targets].mean(),
    ):
        z = Variable(logits, requires_grad=True)
        loss = loss_of(z)
        loss.backward()
        found.append((loss.data, z.grad))
    return found


def test_fused_composed_and_torchs_loss_are_equal(rng):
    """The mean over V in place of B, or one at the wrong column."""
    logits, targets = rng.normal(size=(5, 7)), rng.integers(0, 7, 5)
    z = torch.tensor(logits, requires_grad=True)
    theirs = F.cross_entropy(z, torch.tensor(targets))
    theirs.backward()
    for loss, grad in fused_and_composed(logits, targets):
        np.testing.assert_allclose(loss, theirs.item(), rtol=1e-12)
        np.testing.assert_allclose(grad, z.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("size", [1e3, 1e4])
def test_large_logits_stay_finite(size, rng):
    """exp(1000) is infinite, and infinite over infinite is no number."""
    logits = rng.normal(size=(4, 6)) * size
    targets = rng.integers(0, 6, 4)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        (a, da), (b, db) = fused_and_composed(logits, targets)
    np.testing.assert_allclose(a, b)
    np.testing.assert_allclose(da, db, atol=1e-12)
    assert np.isfinite(da).all()


def test_the_largest_logit_counts_as_a_constant(rng):
    """A gradient through the maximum as well, which a shift does not have:
    rows of the gradient of the loss sum to zero."""
    (_, da), (_, db) = fused_and_composed(
        rng.normal(size=(3, 5)), np.array([0, 4, 2])
    )
    np.testing.assert_allclose(da.sum(1), 0, atol=1e-12)
    np.testing.assert_allclose(db.sum(1), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("targets", "message"),
    [([0, -1], "from -1 to 0"), ([7, 1], "tokens from 0 to 6"), ([], "mean")],
)
def test_targets_that_are_no_tokens_are_refused(targets, message):
    """-1 marks a place to ignore elsewhere, and counts from the end here."""
    logits = Variable(np.zeros((len(targets), 7)), requires_grad=True)
    with pytest.raises(ValueError, match=message):
        cross_entropy(logits, np.array(targets, dtype=int))
