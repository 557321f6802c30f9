"""Cross-entropy against its formula and against PyTorch."""

import math

import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.transformer.kernels.fused_loss import fused_cross_entropy
from scratchlm.model.transformer.loss import (
    cross_entropy,
    linear_cross_entropy,
)

# The definition, and what must do the same in slices.
each_kind = pytest.mark.parametrize(
    "loss", [cross_entropy, fused_cross_entropy]
)


def draw(n_rows, n_tokens, vocab_size, dtype=torch.double):
    torch.manual_seed(n_rows)
    logits = torch.randn(n_rows, n_tokens, vocab_size).to(dtype)
    targets = torch.randint(vocab_size, (n_rows, n_tokens))
    return logits.requires_grad_(), targets


def theirs(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def test_it_is_the_mean_of_minus_log_p():
    """A sum, a base of two, or a mean over texts of unequal length."""
    logits = torch.tensor([[[0.0, math.log(3)], [0.0, 0.0]]])
    targets = torch.tensor([[0, 1]])
    expected = (math.log(4) + math.log(2)) / 2
    assert cross_entropy(logits, targets) == pytest.approx(expected)


@each_kind
def test_positions_that_do_not_count(loss):
    """A padded row whose zeros enter the mean makes every loss look small,
    and whose gradient teaches the model to write padding."""
    logits, targets = draw(2, 3, 5)
    targets[1] = -100
    torch.testing.assert_close(loss(logits, targets), theirs(logits, targets))
    loss(logits, targets).backward()
    assert (logits.grad[1] == 0).all()
    other = targets.where(targets != -100, -1)
    torch.testing.assert_close(
        loss(logits, other, ignore=-1), theirs(logits, targets)
    )


@each_kind
def test_half_precision_is_summed_in_float32(loss):
    """bfloat16 has eight bits: its own loss is off in the third digit."""
    logits, targets = draw(4, 64, 512, torch.bfloat16)
    ours = loss(logits, targets)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs(logits.float(), targets))
    ours.backward()
    assert logits.grad.dtype == torch.bfloat16


@each_kind
def test_large_scores_stay_finite(loss):
    """exp(1000) is infinite; the maximum must be taken off first."""
    logits = torch.tensor([[1000.0, 0.0]], requires_grad=True)
    value = loss(logits, torch.tensor([1]))
    assert value == 1000
    value.backward()
    assert logits.grad.tolist() == [[1, -1]]


@each_kind
@pytest.mark.parametrize(
    ("target", "message"), [(-100, "does not count"), (5, "from 5 to 5")]
)
def test_hostile_targets_are_refused(loss, target, message):
    """A mean of nothing is nan, and a gather past the end reads anything."""
    logits, targets = draw(2, 3, 5)
    with pytest.raises(ValueError, match=message):
        loss(logits, targets.fill_(target))


def test_a_linear_head_is_taken_into_the_loss():
    """A weight that is transposed, or targets of another position."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 4), torch.randn(5, 4)
    targets = torch.randint(5, (2, 3))
    torch.testing.assert_close(
        linear_cross_entropy(x, weight, targets, ignore=targets[0, 0].item()),
        cross_entropy(x @ weight.T, targets, ignore=targets[0, 0].item()),
    )
