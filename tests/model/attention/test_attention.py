"""Projections, heads, norms and the cache, against PyTorch and by hand."""

import pytest
import torch
from torch import nn

from scratchlm.model.attention.attention import Attention, LayerCache
from scratchlm.model.attention.core_attention import DotProduct
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.norm import norm_all_heads, norm_each_head
from scratchlm.model.positions.rotary import Rotary


def attention(n_kv_heads=4, mask=None, **options):
    torch.manual_seed(0)
    core = DotProduct(4) if mask is None else DotProduct(4, mask=mask)
    made = Attention(16, 4, n_kv_heads, 4, core=core, **options)
    return made.double()


def draw(n_tokens=6):
    return torch.randn(2, n_tokens, 16, dtype=torch.double)


def test_it_is_pytorchs_multi_head_attention():
    """The reference of the field: its weights, stacked, in our module."""
    ours = attention(bias=True, out_bias=True)
    theirs = nn.MultiheadAttention(16, 4, batch_first=True).double()
    parts = [ours.query, ours.key, ours.value]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        theirs.out_proj.load_state_dict(ours.output.state_dict())
    x = draw()
    mask = nn.Transformer.generate_square_subsequent_mask(6).double()
    expected, _ = theirs(x, x, x, attn_mask=mask, need_weights=False)
    torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize("n_kv_heads", [1, 2])
def test_shared_heads_are_repeated_weights(n_kv_heads):
    """Grouped queries are multi-head attention whose keys repeat."""
    few, many = attention(n_kv_heads), attention()
    with torch.no_grad():
        for name in ("query", "output"):
            getattr(many, name).load_state_dict(
                getattr(few, name).state_dict()
            )
        for name in ("key", "value"):
            weight = getattr(few, name).weight.view(n_kv_heads, 4, 16)
            repeated = weight.repeat_interleave(4 // n_kv_heads, 0)
            getattr(many, name).weight.copy_(repeated.flatten(0, 1))
    x = draw()
    torch.testing.assert_close(few(x), many(x))


@pytest.mark.parametrize("cuts", [[6], [1, 1, 1, 1, 1, 1], [2, 3, 1]])
@pytest.mark.parametrize("mask", [None, Window(2)], ids=str)
def test_a_cache_changes_nothing(grow_cache, cuts, mask):
    """Positions that start again at zero, or keys turned twice."""
    layer, x = attention(2, mask), draw()
    rotary, whole = Rotary(4, 6), torch.arange(6)
    expected = layer(x, rotary(whole))
    cache = grow_cache(1)[0]
    assert isinstance(cache, LayerCache)
    parts = [
        layer(piece, rotary(where), cache)
        for piece, where in zip(
            x.split(cuts, 1), whole.split(cuts), strict=True
        )
    ]
    torch.testing.assert_close(torch.cat(parts, 1), expected)


def test_norms_of_queries_and_keys():
    """Each head alone, with one weight; or all together, with a weight for
    each axis of each head. To swap them changes every logit a little."""
    x = draw()
    layer = attention(2, qk_norm=norm_each_head)
    q = layer.q_norm(layer.query(x).unflatten(-1, (-1, 4)))
    torch.testing.assert_close(
        q.square().mean(-1), torch.ones(2, 6, 4).double(), atol=1e-3, rtol=0
    )
    layer = attention(2, qk_norm=norm_all_heads)
    assert layer.q_norm.weight.shape == (4, 4)
    assert layer.k_norm.weight.shape == (2, 4)
    q = layer.q_norm(layer.query(x).unflatten(-1, (-1, 4)))
    torch.testing.assert_close(
        q.square().mean((-1, -2)), torch.ones(2, 6).double(), atol=1e-3, rtol=0
    )


def test_normed_queries_keep_scores_small():
    """Without the norm, weights ten times as large give scores a hundred
    times as large; with it, the same scores."""
    x = draw()
    plain, normed = attention(), attention(qk_norm=norm_each_head)
    changed = []
    for layer in (plain, normed):
        before = layer(x)
        with torch.no_grad():
            layer.query.weight.mul_(10)
            layer.key.weight.mul_(10)
        changed.append(float((layer(x) - before).abs().max()))
    assert changed[1] < 1e-3 < changed[0]


def test_heads_that_cannot_share_are_refused():
    """Three key heads for four query heads would leave one alone."""
    with pytest.raises(ValueError, match="must divide"):
        attention(3)
