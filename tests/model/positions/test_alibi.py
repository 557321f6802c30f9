import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import Everything, Window
from scratchlm.model.positions.alibi import ALiBi


def slopes_of(n_heads):
    """What each head takes for one step back."""
    adjusted = ALiBi(n_heads).adjust(torch.zeros(1, n_heads, 2, 2))
    return -adjusted[0, :, 1, 0]


@pytest.mark.parametrize("n_heads", [1, 2, 4, 8, 16, 32])
def test_slopes_are_those_of_the_paper(n_heads):
    """A series that starts at 1, or that another number of heads ends
    elsewhere: 8 heads have 1/2, 1/4, ... 1/256."""
    ratio = 2 ** (-8 / n_heads)
    expected = [ratio ** (n + 1) for n in range(n_heads)]
    assert slopes_of(n_heads).tolist() == pytest.approx(expected)
    assert slopes_of(n_heads)[-1].item() == pytest.approx(1 / 256)


@given(n_heads=st.integers(1, 40))
def test_any_number_of_heads_has_its_slopes(n_heads):
    """Slopes for the next power of two, of which some are left out."""
    slopes = slopes_of(n_heads)
    assert (slopes.diff() < 0).all()
    assert 0 < slopes.min() <= slopes.max() < 1


def naive(q, k, v):
    """Loops over heads, queries and keys, for one row."""
    n_heads, n_tokens, d_head = q.shape
    n_keys, shared = k.shape[1], n_heads // k.shape[0]
    out = torch.zeros(n_heads, n_tokens, v.shape[-1])
    for head in range(n_heads):
        slope = 2 ** (-8 * (head + 1) / n_heads)
        for t in range(n_tokens):
            at = n_keys - n_tokens + t
            weights = torch.tensor(
                [
                    float(q[head, t] @ k[head // shared, s]) / d_head**0.5
                    - slope * (at - s)
                    for s in range(at + 1)
                ]
            ).softmax(0)
            out[head, t] = weights @ v[head // shared, : at + 1]
    return out


@given(
    n_tokens=st.integers(1, 6),
    n_cached=st.integers(0, 5),
    n_kv_heads=st.sampled_from([1, 2, 4]),
)
def test_equals_loops(n_tokens, n_cached, n_kv_heads):
    """Distances counted from the first key while a cache is in use; slopes
    given to key heads instead of query heads."""
    torch.manual_seed(n_tokens)
    n_keys = n_tokens + n_cached
    q = torch.randn(1, 4, n_tokens, 8)
    k = torch.randn(1, n_kv_heads, n_keys, 8)
    v = torch.randn(1, n_kv_heads, n_keys, 5)
    torch.testing.assert_close(ALiBi(4)(q, k, v)[0], naive(q[0], k[0], v[0]))


def test_bfloat16_tells_far_keys_apart():
    """Penalties rounded with the scores: a step of 1/256 is lost from 257
    keys on, and what the scores say of a far key with it."""
    adjusted = ALiBi(8).adjust(
        torch.zeros(1, 8, 2000, 2000, dtype=torch.bfloat16)
    )
    row = adjusted[0, -1, -1]
    assert (row.diff() > 0).all()


def test_it_takes_a_mask_and_a_scale():
    """Arguments that the subclass swallows."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 6, 8)
    windowed = ALiBi(2, mask=Window(1))(q, k, v)
    torch.testing.assert_close(windowed, v)
    flat = ALiBi(2, scale=0.0)(q, k, v)
    torch.testing.assert_close(flat, ALiBi(2)(0 * q, k, v))


def test_without_slopes_it_would_be_plain_attention():
    """A penalty that also falls on the query's own position."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 1, 8)
    torch.testing.assert_close(ALiBi(2)(q, k, v), DotProduct(2)(q, k, v))
    everything = ALiBi(2, mask=Everything())(q, k, v)
    torch.testing.assert_close(everything, v)
