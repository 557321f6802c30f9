import pytest
import torch

from scratchlm.evaluation.interpretability.hooks import read, replace
from scratchlm.evaluation.interpretability.patching import (
    attribution_effects,
    difference,
    patching_effects,
    set_positions,
)

PLACES = ["embedding", "blocks.0.attention", "blocks.1"]
METRIC = difference(torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6]))


@pytest.fixture
def corrupted(tokens):
    other = tokens.clone()
    other[:, 4] = (other[:, 4] + 1) % 24
    return other


@torch.no_grad()
def test_the_same_activation_is_the_identity(model, tokens):
    before = model(tokens)
    with read(model, PLACES) as kept:
        model(tokens)
    for place in PLACES:
        change = set_positions(kept[place], range(10))
        with replace(model, {place: change}):
            assert torch.equal(model(tokens), before)
    effects = patching_effects(model, tokens, tokens, PLACES, METRIC)
    assert not effects.any()


@torch.no_grad()
def test_the_token_that_differs_restores_everything(model, tokens, corrupted):
    effects = patching_effects(model, tokens, corrupted, PLACES, METRIC)
    gap = METRIC(model(tokens)[:, -1]) - METRIC(model(corrupted)[:, -1])
    torch.testing.assert_close(effects[0, 4], gap)
    torch.testing.assert_close(effects[2, -1], gap)
    assert not effects[:, :4].any()  # causality


def test_the_gradient_is_the_limit_of_the_effect(model, tokens):
    """For activations that differ little, both agree."""

    def nearly(x):
        noise = torch.randn(
            x.shape, generator=torch.Generator().manual_seed(2)
        )
        return x + 1e-2 * noise

    place = "blocks.0"
    with torch.no_grad(), read(model, [place]) as kept:
        model(tokens)
    moved = nearly(kept[place])
    with torch.no_grad(), replace(model, {place: lambda x: moved}):
        after = METRIC(model(tokens)[:, -1])
    effect = after - METRIC(model(tokens)[:, -1])
    with read(model, [place]) as now:
        score = METRIC(model(tokens)[:, -1]).sum()
    (slope,) = torch.autograd.grad(score, [now[place]])
    estimate = ((moved - kept[place]) * slope).sum((-1, -2))
    torch.testing.assert_close(effect, estimate, rtol=0.1, atol=1e-3)


def test_attribution_is_exact_where_the_rest_is_linear(tokens, corrupted):
    """A model whose score is linear in a place has no second order."""

    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embedding = torch.nn.Embedding(24, 8)
            self.head = torch.nn.Linear(8, 24)

        def forward(self, tokens):
            return self.head(self.embedding(tokens).cumsum(1))

    args = Linear(), tokens, corrupted, ["embedding"], METRIC
    true, estimate = patching_effects(*args), attribution_effects(*args)
    assert true.abs().max() > 0.1
    torch.testing.assert_close(estimate, true, rtol=1e-4, atol=1e-5)


def test_attribution_has_the_shape_of_patching(model, tokens, corrupted):
    args = model, tokens, corrupted, PLACES, METRIC
    assert attribution_effects(*args).shape == patching_effects(*args).shape


@pytest.mark.parametrize("effects", [patching_effects, attribution_effects])
def test_texts_of_two_lengths(model, tokens, effects):
    with pytest.raises(ValueError, match="as many tokens"):
        effects(model, tokens, tokens[:, :5], PLACES, METRIC)
