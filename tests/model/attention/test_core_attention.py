"""Each core against loops over every number, and against PyTorch."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from scratchlm.model.attention.core_attention import (
    DotProduct,
    ScoredAttention,
    Softcapped,
)
from scratchlm.model.attention.masks import CAUSAL, Everything, Window

MASKS = [CAUSAL, Window(2), Window(40), Everything()]
CORES = {
    "dot product": DotProduct,
    "scored": ScoredAttention,
    "capped": lambda n, **more: Softcapped(n, cap=0.7, **more),
}
sizes = st.fixed_dictionaries(
    {
        "n_kv_heads": st.integers(1, 3),
        "shared": st.integers(1, 3),
        "n_tokens": st.integers(1, 6),
        "past": st.integers(0, 4),
        "d_head": st.integers(1, 5),
        "d_value": st.integers(1, 5),
    }
)


def draw(n_kv_heads, shared, n_tokens, past, d_head, d_value):  # noqa: PLR0917
    torch.manual_seed(n_tokens + 10 * past)
    n_keys = past + n_tokens
    shapes = [
        (2, n_kv_heads * shared, n_tokens, d_head),
        (2, n_kv_heads, n_keys, d_head),
        (2, n_kv_heads, n_keys, d_value),
    ]
    return [torch.randn(shape, dtype=torch.double) for shape in shapes]


def by_loops(core, q, k, v, bend=lambda score: score):
    """The definition, a row of one head at a time."""
    out = torch.empty(*q.shape[:-1], v.shape[-1], dtype=q.dtype)
    shared = q.shape[1] // k.shape[1]
    past = k.shape[2] - q.shape[2]
    scale = core.scale or 1 / math.sqrt(q.shape[-1])
    seen = core.mask.visible(q.shape[2], k.shape[2], q.device)
    for b, n, t in torch.cartesian_prod(*map(torch.arange, q.shape[:3])):
        keys, values = k[b, n // shared], v[b, n // shared]
        parts = [
            math.exp(bend(scale * float(q[b, n, t] @ keys[s])))
            if seen[t, s]
            else 0.0
            for s in range(past + q.shape[2])
        ]
        weights = torch.tensor(parts, dtype=q.dtype) / sum(parts)
        out[b, n, t] = weights @ values
    return out


@given(sizes, st.sampled_from(MASKS), st.sampled_from([None, 0.3]))
def test_plain_cores_are_the_loops(shape, mask, scale):
    """Heads that share the wrong keys, a mask in the wrong corner, a scale
    applied twice: each is right for some shape."""
    q, k, v = draw(**shape)
    expected = None
    for kind in (DotProduct, ScoredAttention):
        core = kind(q.shape[1], mask=mask, scale=scale)
        if expected is None:
            expected = by_loops(core, q, k, v)
        torch.testing.assert_close(core(q, k, v), expected)


@given(sizes, st.floats(0.1, 9))
def test_a_cap_bends_the_scores_and_not_the_mask(shape, cap):
    """Capping after the mask turns minus infinity into minus the cap."""
    q, k, v = draw(**shape)
    core = Softcapped(q.shape[1], cap=cap)
    expected = by_loops(core, q, k, v, lambda x: cap * math.tanh(x / cap))
    torch.testing.assert_close(core(q, k, v), expected)


def test_a_wide_cap_changes_little_and_a_narrow_one_levels():
    """A cap that is applied as a clamp, or not at all."""
    q, k, v = draw(1, 2, 4, 0, 3, 3)
    plain = ScoredAttention(2)(q, k, v)
    torch.testing.assert_close(Softcapped(2, cap=1e6)(q, k, v), plain)
    level = Softcapped(2, cap=1e-6)(q, k, v)
    mean = v.cumsum(2) / torch.arange(1, 5)[:, None]
    torch.testing.assert_close(level, mean.expand_as(level), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", CORES.values(), ids=CORES)
def test_shared_keys_are_repeated_keys(kind):
    """Query heads that are dealt to key heads like cards, 0 1 0 1, and not
    in blocks, 0 0 1 1, as checkpoints have them."""
    q, k, v = draw(2, 3, 5, 2, 4, 4)
    many = [x.repeat_interleave(3, 1) for x in (k, v)]
    core = kind(6)
    torch.testing.assert_close(core(q, k, v), core(q, *many))


@pytest.mark.parametrize("mask", MASKS, ids=str)
@pytest.mark.parametrize("kind", CORES.values(), ids=CORES)
def test_a_later_key_changes_nothing_before_it(kind, mask):
    """Causality of each core alone, with keys from before the queries."""
    if mask == Everything():
        pytest.skip("it sees the future on purpose")
    q, k, v = draw(1, 2, 5, 3, 4, 4)
    core = kind(2, mask=mask)
    changed = [x.clone() for x in (k, v)]
    for each in changed:
        each[:, :, 3 + 2] += 1
    before, after = core(q, k, v), core(q, *changed)
    torch.testing.assert_close(before[:, :, :2], after[:, :, :2])
    assert not torch.allclose(before[:, :, 2], after[:, :, 2])


@pytest.mark.parametrize("kind", CORES.values(), ids=CORES)
def test_gradients_are_right(kind):
    """A core whose backward ignores the mask or the scale."""
    inputs = [x.requires_grad_() for x in draw(1, 2, 3, 1, 2, 2)]
    assert torch.autograd.gradcheck(kind(2, mask=Window(2)), inputs)


def test_the_softmax_is_taken_in_float32():
    """bfloat16 steps by 1/256 below one, so 512 equal weights, summed as
    they are, do not give one."""
    q = torch.zeros(1, 1, 512, 4, dtype=torch.bfloat16)
    v = torch.ones(1, 1, 512, 4, dtype=torch.bfloat16)
    out = ScoredAttention(1)(q, q, v)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out, torch.ones_like(out))


def test_a_square_is_pytorchs_own_causal_attention():
    """The reference of the field, in the layout that attention uses."""
    q, k, v = draw(2, 1, 6, 0, 4, 4)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(DotProduct(2)(q, k, v), theirs)
