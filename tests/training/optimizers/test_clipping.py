"""The length of a gradient."""

import pytest
import torch
from torch import nn

from scratchlm.training.optimizers import clip_gradients, gradient_norm


def parameters(*gradients):
    made = [nn.Parameter(torch.zeros(len(g))) for g in gradients]
    for p, g in zip(made, gradients, strict=True):
        p.grad = torch.tensor(g)
    return made


def test_the_length_is_of_all_gradients_together():
    """Each tensor clipped by itself turns the direction."""
    ps = parameters([3.0, 0.0], [4.0])
    assert gradient_norm(ps) == 5.0
    assert clip_gradients(ps, 1.0) == 5.0
    assert ps[0].grad.tolist() == pytest.approx([0.6, 0.0])
    assert ps[1].grad.tolist() == pytest.approx([0.8])


def test_a_short_gradient_stays():
    """A gradient that is always brought to the bound loses its length."""
    ps = parameters([0.3, 0.4])
    clip_gradients(ps, 1.0)
    assert ps[0].grad.tolist() == pytest.approx([0.3, 0.4])


def test_equals_pytorch():
    """Its function adds 1e-6 to the length, and clips a little more."""
    torch.manual_seed(0)
    drawn = [torch.randn(5).tolist(), torch.randn(7).tolist()]
    a, b = parameters(*drawn), parameters(*drawn)
    norm = clip_gradients(a, 0.5)
    theirs = nn.utils.clip_grad_norm_(b, 0.5)
    torch.testing.assert_close(norm, theirs)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_gradient_that_is_not_finite_is_left_as_it_is(bad):
    """PyTorch's own makes the others zero and the infinite one no number, so
    that the length of what is left looks healthy."""
    ps = parameters([bad, 1.0], [2.0])
    assert not clip_gradients(ps, 1.0).isfinite()
    assert ps[1].grad.tolist() == [2.0]
    assert ps[0].grad[1] == 1.0


def test_half_precision_is_summed_in_single():
    """The square of 300 is beyond float16."""
    ps = parameters([300.0, 400.0])
    ps[0] = nn.Parameter(torch.zeros(2, dtype=torch.float16))
    ps[0].grad = torch.tensor([300.0, 400.0], dtype=torch.float16)
    assert gradient_norm(ps) == 500.0


def test_no_gradients_have_no_length():
    """The norm of an empty list."""
    assert gradient_norm([nn.Parameter(torch.zeros(2))]) == 0.0


@pytest.mark.parametrize("longest", [0.0, -1.0, float("nan")])
def test_a_bound_is_above_zero(longest):
    """A bound of 0 freezes the model without a word."""
    with pytest.raises(ValueError, match="above 0"):
        clip_gradients(parameters([1.0]), longest)
