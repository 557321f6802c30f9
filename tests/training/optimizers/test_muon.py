"""Singular values after the iteration."""

import pytest
import torch
from torch import nn

from scratchlm.training.optimizers import (
    CONVERGENT,
    JORDAN,
    POLAR_EXPRESS,
    Muon,
    adamw_scale,
    orthogonalize,
    spectral_scale,
)


def with_values(values, m=12, n=8):
    """A matrix with these singular values."""
    torch.manual_seed(0)
    u, _ = torch.linalg.qr(torch.randn(m, m))
    v, _ = torch.linalg.qr(torch.randn(n, n))
    k = len(values)
    return u[:, :k] @ torch.diag(torch.tensor(values)) @ v[:, :k].T


@pytest.mark.parametrize("shape", [(12, 8), (8, 12), (8, 8)])
def test_it_converges_to_the_nearest_orthogonal_matrix(shape):
    """The directions of a tall matrix are taken for those of its transpose."""
    values = [3.0, 2.0, 1.0, 0.7, 0.5, 0.4, 0.3, 0.2]
    matrix = with_values(values, *shape)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    close = orthogonalize(matrix, CONVERGENT)
    torch.testing.assert_close(close, u @ vh, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("coefficients", "slack", "low", "high"),
    [(JORDAN, 0.0, 0.65, 1.25), (POLAR_EXPRESS, 0.02, 0.85, 1.15)],
)
def test_values_end_near_one(coefficients, slack, low, high):
    """One wrong digit in the table: the values then drift or explode."""
    values = [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]
    matrix = with_values(values)
    ended = torch.linalg.svdvals(
        orthogonalize(matrix, coefficients, slack=slack)
    )[: len(values)]
    assert ended.min() > low
    assert ended.max() < high


def test_the_size_of_a_gradient_does_not_matter():
    """A loss that is scaled for half precision."""
    matrix = with_values([1.0, 0.3, 0.1])
    a, b = (orthogonalize(matrix * scale) for scale in (1e-4, 1e4))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_zero_stays_zero():
    """0 over 0: one layer without a gradient, and all its weights are lost."""
    assert orthogonalize(torch.zeros(3, 4)).eq(0).all()


def test_a_step_has_the_length_that_its_scale_says():
    """A tall matrix whose step is too short by the root of its shape."""
    torch.manual_seed(0)
    p = nn.Parameter(torch.zeros(32, 8))
    optimizer = Muon([p], lr=0.1, coefficients=CONVERGENT)
    p.grad = torch.randn(32, 8)
    optimizer.step()
    values = torch.linalg.svdvals(p.detach())
    torch.testing.assert_close(
        values, torch.full((8,), 0.1 * 2), rtol=1e-3, atol=0
    )


def test_scales():
    """Outputs first: a swapped shape gives wide matrices the long step."""
    assert spectral_scale((32, 8)) == 2.0
    assert spectral_scale((8, 32)) == 1.0
    assert adamw_scale((100, 25)) == pytest.approx(2.0)


def test_adamw_scale_moves_entries_as_far_as_adamw():
    """Liu et al. 2025: a root mean square of about 0.2 an entry."""
    torch.manual_seed(0)
    for shape in [(64, 64), (16, 128), (128, 16)]:
        step = orthogonalize(torch.randn(shape), CONVERGENT)
        rms = step.square().mean().sqrt() * adamw_scale(shape)
        assert float(rms) == pytest.approx(0.2, rel=0.02)


def test_each_matrix_of_a_stack_takes_its_own_step():
    """Experts orthogonalised together: the ones with small gradients get
    steps that are too short, and their shapes the scale of the stack."""
    torch.manual_seed(0)
    stack = nn.Parameter(torch.zeros(3, 8, 4))
    gradient = (
        torch.randn(3, 8, 4) * torch.tensor([1e-3, 1, 1e3])[:, None, None]
    )
    alone = [nn.Parameter(torch.zeros(8, 4)) for _ in range(3)]
    together, apart = Muon([stack]), Muon(alone)
    for _ in range(3):
        stack.grad = gradient
        for parameter, part in zip(alone, gradient, strict=True):
            parameter.grad = part
        together.step()
        apart.step()
    for one, other in zip(stack, alone, strict=True):
        assert not one.eq(0).all()
        assert torch.equal(one, other)


@pytest.mark.parametrize("shape", [(4,), ()])
def test_only_matrices(shape):
    """A norm's gain has no singular values."""
    with pytest.raises(ValueError, match="give it to AdamW"):
        Muon([nn.Parameter(torch.zeros(shape))])
