from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from scratchlm.model.attention.attention import Attention, unturned
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.embeddings.angles import rope_frequencies
from scratchlm.model.positions.context_extension import YaRN
from scratchlm.model.positions.rotary import NoRotation, Rotary


def vectors(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scores(rotary, q, k, m, n):
    """How well a query at ``m`` and a key at ``n`` fit."""
    turned = [rotary(torch.tensor([at]))(x) for x, at in ((q, m), (k, n))]
    return (turned[0] * turned[1]).sum(-1)


@given(
    seed=st.integers(0, 2**32),
    half=st.integers(1, 64),
    theta=st.floats(2.0, 1e7),
    places=st.tuples(*[st.integers(0, 4000)] * 3),
)
def test_a_score_depends_on_the_distance_alone(seed, half, theta, places):
    """Sine and cosine exchanged, axes paired one way in queries and another
    in keys, a pair that is stretched while it turns."""
    q, k = F.normalize(vectors(seed, 2, 1, 2 * half), dim=-1)
    rotary = Rotary(2 * half, 0, theta=theta)
    m, n, shift = places
    here = scores(rotary, q, k, m, n)
    there = scores(rotary, q, k, m + shift, n + shift)
    torch.testing.assert_close(here, there, rtol=0, atol=2e-3)
    at_home = scores(rotary, q, k, shift, shift)
    torch.testing.assert_close(at_home, (q * k).sum(-1))


def test_a_score_depends_on_the_direction():
    """A turn by the distance's absolute value: before and after are one."""
    q, k = vectors(0, 2, 1, 8)
    rotary = Rotary(8, 0)
    ahead, behind = scores(rotary, q, k, 5, 2), scores(rotary, q, k, 2, 5)
    assert (ahead - behind).abs() > 0.1


def test_attention_does_not_see_where_a_text_begins():
    """Positions that reach the values too, or queries but not keys."""
    torch.manual_seed(0)
    layer = Attention(16, 4, 2, 8, core=DotProduct(4))
    rotary, x = Rotary(8, 0), vectors(1, 2, 12, 16)
    with torch.no_grad():
        here, there, still = (
            layer(x, turn)
            for turn in (
                rotary(torch.arange(12)),
                rotary(torch.arange(900, 912)),
                unturned,
            )
        )
    torch.testing.assert_close(here, there, rtol=1e-3, atol=1e-5)
    assert (here - still).abs().max() > 1e-2


def test_equals_the_turn_of_llama_in_transformers():
    """Neighbouring axes paired: the relative property holds, and each
    published checkpoint answers with nonsense."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import (
        LlamaRotaryEmbedding,
        apply_rotary_pos_emb,
    )

    q, k, positions = vectors(0, 2, 3, 40, 16), vectors(1, 2, 3, 40, 16), 40
    config = LlamaConfig(
        hidden_size=48,
        num_attention_heads=3,
        head_dim=16,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
    )
    theirs = LlamaRotaryEmbedding(config)
    cos, sin = theirs(q, torch.arange(positions)[None])
    expected = apply_rotary_pos_emb(q, k, cos, sin)
    turn = Rotary(16, 40, theta=500_000.0)(torch.arange(positions))
    torch.testing.assert_close((turn(q), turn(k)), expected)


def test_a_turn_passes_gradcheck():
    """A turn whose angles are rounded on the way to the scores."""
    x = vectors(0, 2, 3, 5, 8).double().requires_grad_()
    rotary = Rotary(8, 0, scaling=YaRN(16.0, original=64))
    turn = rotary(torch.arange(70, 75))
    turn.cos, turn.sin = turn.cos.double(), turn.sin.double()
    assert torch.autograd.gradcheck(turn, x)
    assert torch.autograd.gradgradcheck(turn, x)


def test_axes_beyond_those_that_turn_stay():
    """A head of which a part is turned, which fails in the first forward
    pass; a last part that is turned too, or multiplied by YaRN's length."""
    x = vectors(0, 2, 3, 5, 12).requires_grad_()
    turn = Rotary(8, 0, scaling=YaRN(4.0, original=64))(torch.arange(5))
    turned = turn(x)
    assert torch.equal(turned[..., 8:], x[..., 8:])
    assert torch.equal(turned[..., :8], turn(x[..., :8]))
    grad = vectors(1, 2, 3, 5, 12)
    (whole,) = torch.autograd.grad(turned, x, grad)
    (part,) = torch.autograd.grad(turn(x[..., :8]), x, grad[..., :8])
    assert torch.equal(whole[..., :8], part[..., :8])
    assert torch.equal(whole[..., 8:], grad[..., 8:])


def test_more_axes_than_a_head_has_are_refused():
    """Two tensors that do not fit, deep in the first forward pass."""
    turn = Rotary(8, 0)(torch.arange(5))
    with pytest.raises(ValueError, match="turn 8 of 6 axes; lower d_rotary"):
        turn(vectors(0, 5, 6))


def test_scaled_lengths_multiply_the_score_twice():
    """A temperature that only the queries got."""
    q, k = vectors(0, 2, 1, 8)
    scaling = YaRN(16.0, original=64)
    scaled = Rotary(8, 0, scaling=scaling)
    alone = scores(scaled, q, k, 3, 3) / (q * k).sum(-1)
    assert alone.item() == pytest.approx(scaling.length**2, rel=1e-5)
    assert not scaled.angles.frequencies.equal(Rotary(8, 0).angles.frequencies)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_angles_stay_in_float32(kind):
    """Frequencies rounded with the weights: at position 3000 the angles
    are off by whole turns."""
    model = nn.Sequential(Rotary(64, 0), nn.Linear(2, 2)).to(kind)
    rotary, far = model[0], torch.tensor([3000])
    assert model[1].weight.dtype == kind
    assert rotary.angles.frequencies.dtype == torch.float32
    plain = rope_frequencies(64, 1e4)
    torch.testing.assert_close(rotary.angles(far)[0], 3000 * plain)
    x = torch.ones(1, 64, dtype=kind)
    assert rotary(far)(x).dtype == kind


def test_a_copy_turns_as_its_model_does():
    """A scaling that is lost when a model is copied or moved."""
    scaled = Rotary(32, 0, scaling=YaRN(4.0, original=64))
    copied = deepcopy(scaled).to(torch.float64)
    assert copied.angles.frequencies.equal(scaled.angles.frequencies)


def test_no_rotation_changes_nothing():
    """A model without RoPE that pays for it, or that gets some of it."""
    x = vectors(0, 2, 3, 8)
    assert NoRotation(8, 3)(torch.arange(3))(x) is x
