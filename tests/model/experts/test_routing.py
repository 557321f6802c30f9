import pytest
import torch
from torch import nn

from scratchlm.model.experts.routing import BiasedRouter, SoftmaxRouter

D, E, K = 8, 6, 2


@pytest.fixture
def rows():
    torch.manual_seed(0)
    return torch.randn(40, D)


@pytest.mark.parametrize("normalize", [True, False])
def test_softmax_weights_follow_the_definition(rows, normalize):
    """Weights that are renormalised although the model was trained with
    probabilities, or the other way round: half of the MoE checkpoints."""
    router = SoftmaxRouter(D, E, K, normalize=normalize)
    routing = router(rows)
    for t, row in enumerate(rows):
        probs = (router.weight @ row).softmax(0)
        best = sorted(range(E), key=lambda e: -probs[e])[:K]
        assert routing.chosen[t].tolist() == best
        weights = probs[best] / (probs[best].sum() if normalize else 1)
        torch.testing.assert_close(routing.weights[t], weights)
        torch.testing.assert_close(routing.probs[t], probs)


def test_renormalised_softmax_is_a_softmax_over_the_chosen(rows):
    """Mixtral's paper takes the softmax of the k best logits; its code
    renormalises. A router that did both would be neither."""
    routing = SoftmaxRouter(D, E, K)(rows)
    best = routing.logits.topk(K).values.softmax(-1)
    torch.testing.assert_close(routing.weights, best)


def test_load_counts_every_choice(rows):
    """A count of first choices alone, or of tokens in place of choices."""
    routing = SoftmaxRouter(D, E, K)(rows)
    flat = routing.chosen.flatten().tolist()
    assert routing.load.tolist() == [flat.count(e) for e in range(E)]


@pytest.mark.parametrize("score", [torch.sigmoid, lambda x: x.softmax(-1)])
def test_the_bias_chooses_but_does_not_weigh(rows, score):
    """A bias in the weights changes what the layer computes, and the loss
    then has a gradient to fight it."""
    router = BiasedRouter(D, E, K, score=score, scale=2.5)
    before = router(rows)
    router.bias[3] = 100.0
    after = router(rows)
    assert (after.chosen == 3).any(-1).all()
    torch.testing.assert_close(after.probs, before.probs)
    scores = score(after.logits).gather(-1, after.chosen)
    expected = 2.5 * scores / scores.sum(-1, keepdim=True)
    torch.testing.assert_close(after.weights, expected)
    torch.testing.assert_close(after.probs.sum(-1), torch.ones(len(rows)))


def test_load_is_kept_in_training_alone(rows):
    """An evaluation between two steps that moves the biases."""
    router = BiasedRouter(D, E, K)
    total = router(rows).load + router(rows[:7]).load
    router.eval()(rows)
    assert router.load.tolist() == total.tolist()


def test_the_bias_keeps_its_type_and_its_value():
    """A model in bfloat16 whose biases stop moving at 0.5, since 0.001 is
    below the last bit; and one that forgets them on the way."""
    router = BiasedRouter(D, E, K)
    router.bias += 0.501
    router.to(torch.bfloat16)
    assert router.weight.dtype == torch.bfloat16
    assert router.bias.tolist() == torch.full((E,), 0.501).tolist()


def test_a_bias_from_nowhere_is_zero():
    """A model made on the meta device and given memory has random bytes as
    a bias, which no draw of weights overwrites."""
    with torch.device("meta"):
        router = BiasedRouter(D, E, K)
    router.to_empty(device="cpu")
    assert router.bias.tolist() == [0.0] * E


def test_scores_are_not_rounded():
    """Logits in bfloat16 tie, and the choice then follows the order of the
    experts: here 1 and 1.001 would be one number."""
    router = SoftmaxRouter(1, 2, 1, normalize=False)
    with torch.no_grad():
        router.weight.copy_(torch.tensor([[1.0], [1.001]]))
    x = torch.ones(1, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        routing = router(x)
    assert routing.logits.dtype == torch.float32
    assert routing.chosen.tolist() == [[1]]


@pytest.mark.parametrize("kind", [SoftmaxRouter, BiasedRouter])
def test_a_router_learns_through_its_weights(rows, kind):
    """A router whose choice is all that it contributes gets no gradient."""
    router = kind(D, E, 1, normalize=False)
    router(rows).weights.sum().backward()
    assert router.weight.grad.abs().max() > 0


@pytest.mark.parametrize("kind", [SoftmaxRouter, BiasedRouter])
@pytest.mark.parametrize(("top_k", "match"), [(0, "0"), (7, "7.*6 experts")])
def test_impossible_choices_are_refused(kind, top_k, match):
    """A failure inside topk, which speaks of dimensions."""
    with pytest.raises(ValueError, match=match):
        kind(D, E, top_k)


@pytest.mark.parametrize("kind", [SoftmaxRouter, BiasedRouter])
def test_a_weight_that_is_always_one_is_refused(kind):
    """Top-1 with normalised weights: the loss falls, the router stays as
    it was drawn, and nothing says so."""
    with pytest.raises(ValueError, match="normalize=False"):
        kind(D, E, 1)
    assert isinstance(kind(D, 1, 1), nn.Module)
