"""One head, against loops and against the library."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from scratchlm.model.attention.self_attention import SelfAttention


def by_loops(head, x):
    """The definition for one text, a number at a time."""
    q, k, v = (f(x).detach() for f in (head.query, head.key, head.value))
    d_out = q.shape[-1]
    rows = []
    for t in range(len(x)):
        seen = t + 1 if head.causal else len(x)
        scores = [float(q[t] @ k[s]) / math.sqrt(d_out) for s in range(seen)]
        parts = [math.exp(score) for score in scores]
        row = sum(p / sum(parts) * v[s] for s, p in enumerate(parts))
        rows.append(row)
    return torch.stack(rows)


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_the_formula_is_the_loops(n_tokens, d_in, d_out, causal):
    """Scores divided by sqrt(d_in), or a softmax over the queries."""
    torch.manual_seed(n_tokens)
    head = SelfAttention(d_in, d_out, causal=causal).double()
    x = torch.randn(n_tokens, d_in, dtype=torch.double)
    with torch.no_grad():
        torch.testing.assert_close(head(x), by_loops(head, x))


@pytest.mark.parametrize("causal", [False, True])
def test_a_batch_is_its_texts_and_equals_pytorch(causal):
    """One text of a batch that sees another."""
    torch.manual_seed(0)
    head = SelfAttention(6, 4, causal=causal)
    x = torch.randn(3, 5, 6)
    alone = torch.stack([head(text) for text in x])
    torch.testing.assert_close(head(x), alone)
    q, k, v = head.query(x), head.key(x), head.value(x)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(head(x), theirs)


def test_rows_of_weights_sum_to_one():
    """Masking after the softmax leaves a row that sums to less than one,
    and its denominator still knows the future."""
    torch.manual_seed(0)
    weights = SelfAttention(6, 4, causal=True).weights(torch.randn(2, 5, 6))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))
    assert (weights.triu(1) == 0).all()


def test_the_future_is_not_seen():
    """A mask that is one position too generous hides in every average."""
    torch.manual_seed(0)
    head = SelfAttention(6, 4, causal=True)
    x = torch.randn(5, 6)
    changed = x.clone()
    changed[3] += 1
    before, after = head(x), head(changed)
    assert torch.equal(before[:3], after[:3])
    assert not torch.allclose(before[3:], after[3:])
