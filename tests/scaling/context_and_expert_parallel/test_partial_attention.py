"""Parts of a softmax, and the whole."""

from math import inf

import pytest
import torch
from torch.nn import functional as F

from scratchlm.scaling.context_and_expert_parallel.partial_attention import (
    Partial,
    attend,
    differentiate,
    finite,
    masked_scores,
    merge,
)


def draw():
    torch.manual_seed(0)
    sizes = ((2, 5, 4), (2, 9, 4), (2, 9, 3))
    return [torch.randn(*size, dtype=torch.float64) for size in sizes]


def halves(k, v, hidden):
    for cut in (slice(0, 4), slice(4, 9)):
        yield k[:, cut], v[:, cut], hidden[:, cut]


def test_two_halves_are_the_whole():
    """Means that are averaged as if both halves weighed the same."""
    q, k, v = draw()
    hidden = torch.ones(5, 9, dtype=torch.bool).triu(5)
    one, other = (attend(q, *half) for half in halves(k, v, hidden))
    due = F.scaled_dot_product_attention(q, k, v, ~hidden, scale=1.0)
    for found in (merge(one, other), merge(other, one)):
        torch.testing.assert_close(found.mixed, due)
        scores = masked_scores(q, k, hidden)
        torch.testing.assert_close(found.lse, scores.logsumexp(-1))


def test_keys_out_of_sight_change_nothing():
    """-inf - -inf: a query that sees no key of the first half is not a
    number from then on."""
    q, k, v = draw()
    hidden = torch.zeros(5, 9, dtype=torch.bool)
    hidden[2, :4] = True
    hidden[3] = True
    one, other = (attend(q, *half) for half in halves(k, v, hidden))
    found = merge(one, other)
    assert found.mixed[:, 2].equal(other.mixed[:, 2])
    assert found.lse[:, 3].tolist() == [-inf, -inf]
    assert not found.mixed[:, 3].any()
    assert found.mixed.isfinite().all()


def test_large_scores_do_not_overflow():
    """exp(1000) is infinite, and a ratio of two of them no number."""
    one = Partial(torch.tensor([[1.0]]), torch.tensor([1000.0]))
    other = Partial(torch.tensor([[3.0]]), torch.tensor([1000.0]))
    assert float(merge(one, other).mixed) == pytest.approx(2.0, rel=1e-3)


def test_contributions_add_up_to_the_gradients():
    """Weights of a half's own softmax in place of those of the whole."""
    q, k, v = (x.requires_grad_() for x in draw())
    hidden = torch.ones(5, 9, dtype=torch.bool).triu(5)
    mixed, lse = attend(q, k, v, hidden)
    grad = torch.randn_like(mixed)
    due = torch.autograd.grad(mixed, (q, k, v), grad)
    with torch.no_grad():
        along = (grad * mixed).sum(-1)
        parts = [
            differentiate(q, ks, vs, lse, grad, along, hidden=h)
            for ks, vs, h in halves(k, v, hidden)
        ]
    torch.testing.assert_close(parts[0][0] + parts[1][0], due[0])
    for i in (1, 2):
        torch.testing.assert_close(
            torch.cat([part[i] for part in parts], 1), due[i]
        )


def test_finite_leaves_finite_numbers():
    """A clamp that touches what was seen."""
    x = torch.tensor([-inf, -3.0, 7.0])
    assert finite(x)[1:].equal(x[1:])
    assert finite(x).isfinite().all()
