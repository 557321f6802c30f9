from dataclasses import replace
from functools import partial

import pytest
import torch

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import Window
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.efficient_attention.tiled_attention import Tiled
from scratchlm.model.positions.rotary import Rotary
from scratchlm.model.published.presets import tiny
from scratchlm.model.transformer.transformer import Transformer

D, N, H, R, P = 24, 4, 6, 10, 4


def make(core=DotProduct, **options):
    torch.manual_seed(0)
    options = {"d_latent": R, "d_rotary": P, **options}
    return LatentAttention(D, N, N, H, core=core(N), **options).double()


def model(**parts):
    torch.manual_seed(0)
    config = replace(
        tiny(64, vocab_size=50),
        n_heads=2,
        n_kv_heads=2,
        d_rotary=P,
        attention=partial(LatentAttention, d_latent=R, d_rotary=P),
        **parts,
    )
    return Transformer(config).double()


CORES = [
    DotProduct,
    partial(DotProduct, scale=0.1),
    partial(DotProduct, mask=Window(3)),
    partial(Tiled, tile=4),
    partial(Softcapped, cap=2.0),
]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("n_tokens", [1, 5, 9])
def test_absorbed_equals_expanded(core, n_tokens):
    """A core that divides by the root of R + P in one form and of H + P in
    the other; and a value matrix that is applied with its heads mixed up."""
    layer = make(core)
    given = [torch.randn(2, N, n_tokens, width).double() for width in (H, P)]
    given += [torch.randn(2, 1, 9, width).double() for width in (R, P)]
    torch.testing.assert_close(layer.absorbed(*given), layer.expanded(*given))


def test_equals_heads_with_keys_of_their_own():
    """The paper's equations, head by head, in loops."""
    layer = make(d_query_latent=8)
    x = torch.randn(1, 5, D).double()
    turn = Rotary(P, 99)(torch.arange(5))
    latent, narrow = layer.latent(x), layer.query_latent(x)
    rotary_key = turn(layer.rotary_key(x))
    mixed = []
    for n in range(N):
        rows, turned = slice(n * H, n * H + H), slice(n * P, n * P + P)
        q = narrow @ layer.query.weight[rows].T
        q_turned = turn(narrow @ layer.rotary_query.weight[turned].T)
        k = latent @ layer.key.weight[rows].T
        scores = (q @ k.mT + q_turned @ rotary_key.mT) / (H + P) ** 0.5
        scores = scores.masked_fill(torch.ones(5, 5).triu(1) > 0, -torch.inf)
        v = latent @ layer.value.weight[rows].T
        mixed.append(scores.softmax(-1) @ v)
    torch.testing.assert_close(
        layer(x, turn), layer.output(torch.cat(mixed, -1))
    )


@pytest.mark.parametrize("core", [DotProduct, partial(Tiled, tile=4)])
@pytest.mark.parametrize("steps", [[9], [1] * 9, [4, 1, 1, 3], [2, 7]])
def test_cached_equals_uncached(core, steps, grow_cache):
    """A rotary key that is cached before it was turned, or turned again."""
    transformer, cache = model(core=core), grow_cache(2)
    tokens = torch.randint(50, (2, 9))
    parts = [transformer(t, cache=cache) for t in tokens.split(steps, 1)]
    torch.testing.assert_close(torch.cat(parts, 1), transformer(tokens))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("cached", [False, True])
def test_no_token_sees_a_later_one(core, cached, grow_cache):
    """Perturb token t: what the model says before it must stay."""
    transformer = model(core=core)

    def logits(tokens):
        cache = grow_cache(2) if cached else None
        steps = tokens.split([4, 5] if cached else [9], 1)
        return torch.cat([transformer(t, cache=cache) for t in steps], 1)

    tokens = torch.randint(50, (1, 9))
    changed = tokens.clone()
    changed[:, 6] = (tokens[:, 6] + 1) % 50
    before, after = logits(tokens), logits(changed)
    assert torch.equal(before[:, :6], after[:, :6])
    assert not torch.equal(before[:, 6], after[:, 6])


def test_the_cache_holds_one_vector_for_all_heads(grow_cache):
    """A cache of keys and values, made from the latents before they are
    kept: right, and as large as without latents."""
    x = torch.randn(1, 7, D).double()

    def cached_numbers(layer):
        cache = grow_cache(1)[0]
        layer(x, cache=cache)
        return sum(each.numel() for each in cache.kept)

    heads = Attention(D, N, N, H, core=DotProduct(N)).double()
    assert cached_numbers(make()) == 7 * (R + P)
    assert cached_numbers(heads) == 7 * 2 * N * H


@pytest.mark.parametrize(("n_tokens", "n_keys"), [(1, 9), (9, 9), (3, 9)])
def test_the_cheaper_form_is_taken(n_tokens, n_keys):
    """A prompt that is absorbed, with scores over heads R wide; a decoded
    token that expands every key before it."""
    layer = make()
    expanded = N * (n_keys * R * 2 * H + n_tokens * n_keys * (2 * H + P))
    absorbed = N * (n_tokens * R * 2 * H + n_tokens * n_keys * (2 * R + P))
    cheaper = layer.absorbing_is_cheaper(n_tokens, n_keys)
    assert cheaper == (absorbed < expanded)
    assert cheaper == (n_tokens < n_keys)


def test_both_forms_learn_the_same():
    """A weight that only one of the forms reaches."""
    layer = make()
    given = [torch.randn(2, N, 1, width).double() for width in (H, P)]
    given += [torch.randn(2, 1, 9, width).double() for width in (R, P)]
    weights = [layer.key.weight, layer.value.weight]
    grads = [
        torch.autograd.grad(form(*given).square().sum(), weights)
        for form in (layer.absorbed, layer.expanded)
    ]
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


def test_fewer_key_heads_are_refused():
    """A number of key heads that is given and has no effect."""
    with pytest.raises(ValueError, match="n_kv_heads is 2 and n_heads 4"):
        LatentAttention(D, N, 2, H, core=DotProduct(N), d_latent=R, d_rotary=P)
