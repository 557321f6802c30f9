import copy
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.block.initialization import initialize
from scratchlm.model.experts.dispatch import Capacity
from scratchlm.model.experts.experts import MixtureOfExperts, grouped_matmul
from scratchlm.model.experts.routing import BiasedRouter, SoftmaxRouter

D, F_, E, K = 8, 16, 4, 2
unnormalised = partial(SoftmaxRouter, normalize=False)


def make(**parts):
    torch.manual_seed(0)
    return MixtureOfExperts(D, F_, **{"n_experts": E, "top_k": K} | parts)


def one_token_at_a_time(layer, x):
    """The chapter's loop: each token visits its experts by itself."""
    routing = layer.router(x.reshape(-1, D))
    out = []
    for t, row in enumerate(x.reshape(-1, D)):
        y = torch.zeros_like(row)
        for e, weight in zip(
            routing.chosen[t], routing.weights[t], strict=True
        ):
            inside = F.silu(layer.gate[e] @ row) * (layer.up[e] @ row)
            y = y + weight * (layer.down[e] @ inside)
        out.append(y)
    return torch.stack(out).view(x.shape)


def gradients(layer, y):
    target = torch.linspace(-1, 1, y.numel()).view(y.shape).to(y.dtype)
    return torch.autograd.grad((y * target).sum(), list(layer.parameters()))


VARIANTS = {
    "mixtral": {},
    "qwen": {"router": unnormalised},
    "switch": {"router": unnormalised, "top_k": 1},
    "all": {"top_k": E},
    "bias": {"router": BiasedRouter},
    "narrow": {"d_expert": 12},
    "odd": {"d_expert": 5},
    "capacity": {"dispatch": Capacity(E / K)},
    "choices first": {"dispatch": Capacity(E / K, by_choice=True)},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_grouped_equals_one_token_at_a_time(variant):
    """Rows that come back to the wrong token, gradients that miss an
    expert; a capacity that suffices and drops nonetheless."""
    layer = make(**VARIANTS[variant])
    x = torch.randn(3, 7, D, requires_grad=True)
    ours, naive = layer(x), one_token_at_a_time(layer, x)
    assert layer.statistics.dropped == 0
    torch.testing.assert_close(ours, naive)
    for a, b in zip(
        gradients(layer, ours), gradients(layer, naive), strict=True
    ):
        torch.testing.assert_close(a, b)
    (ours,) = torch.autograd.grad(layer(x).sum(), x)
    (naive,) = torch.autograd.grad(one_token_at_a_time(layer, x).sum(), x)
    torch.testing.assert_close(ours, naive)


def test_each_piece_meets_its_own_matrix():
    """A piece of length zero that takes the next one's matrix."""
    torch.manual_seed(0)
    sizes, weights = [2, 0, 3], torch.randn(3, 4, 8)
    x, ends = torch.randn(5, 8), torch.tensor([2, 2, 5])
    naive = torch.cat(
        [a @ w.T for a, w in zip(x.split(sizes), weights, strict=True)]
    )
    torch.testing.assert_close(grouped_matmul(x, weights, ends), naive)


def test_all_experts_alike_are_one_dense_layer():
    """Weights that do not sum to one, or a token that is added twice."""
    layer, dense = make(), SwiGLU(D, F_)
    with torch.no_grad():
        for name in ("gate", "up", "down"):
            stacked = getattr(dense, name).weight.expand(E, -1, -1)
            getattr(layer, name).copy_(stacked)
    x = torch.randn(2, 5, D)
    torch.testing.assert_close(layer(x), dense(x))


def test_the_shared_expert_sees_every_token():
    """A shared layer that is weighed like the others, or fed the sorted
    rows."""
    layer = make(shared=partial(SwiGLU, d_ff=24))
    x = torch.randn(2, 5, D)
    routed = one_token_at_a_time(layer, x)
    torch.testing.assert_close(layer(x), routed + layer.shared(x))


def test_dropped_tokens_get_nothing_and_are_counted():
    """A place that is filled twice, or an empty one that answers for token
    0 with a weight."""
    layer = make(top_k=1, router=unnormalised, dispatch=Capacity(0.5))
    x = torch.randn(1, 16, D)
    routing = layer.router(x[0])
    y = layer(x)[0]
    seen, dropped = [0] * E, 0
    for t, e in enumerate(routing.chosen[:, 0].tolist()):
        seen[e] += 1
        if seen[e] > 2:
            dropped += 1
            assert not y[t].any()
        else:
            assert y[t].any()
    assert layer.statistics.dropped == dropped > 0


def test_a_text_alone_equals_a_text_in_a_batch():
    """Dropless: what a token gets depends on no other token. Capacity:
    rows that come first in a batch take the places of those behind."""
    x = torch.randn(6, 8, D)
    layer = make()
    torch.testing.assert_close(layer(x)[-1:], layer(x[-1:]))
    layer.dispatch = Capacity(0.5)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(layer(x)[-1:], layer(x[-1:]))


def test_initialization_reaches_the_stacked_matrices():
    """Rules for nn.Linear that pass by what is not one: experts that write
    to the stream at full size."""
    torch.manual_seed(0)
    layer = MixtureOfExperts(64, 128, n_experts=E, top_k=K)
    initialize(layer, 8)
    for name, std in [("gate", 0.02), ("up", 0.02), ("down", 0.005)]:
        assert abs(getattr(layer, name).std().item() / std - 1) < 0.02, name
    assert abs(layer.router.weight.std().item() / 0.02 - 1) < 0.15


def test_a_model_can_be_copied_after_a_step():
    """An average of weights that copies the model, and fails on the graph
    that the statistics hang on."""
    layer = make()
    layer(torch.randn(2, 3, D))
    assert layer.statistics.probability.requires_grad
    twin = copy.deepcopy(layer)
    assert twin.statistics is None
    assert layer.statistics is not None


def test_statistics_are_for_training():
    """Memory that a server holds for ever."""
    layer = make()
    layer(torch.randn(2, 3, D))
    layer.eval()(torch.randn(2, 3, D))
    assert layer.statistics is None


def test_gradients_pass_gradcheck():
    """A derivative that is right only for the choice, not for weights."""
    layer = make().double()
    x = torch.randn(3, D, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


def test_no_tokens_are_no_error():
    """An empty batch on one of many processes."""
    layer, x = make(), torch.zeros(0, 5, D, requires_grad=True)
    y = layer(x)
    assert y.shape == x.shape
    y.sum().backward()
    assert not layer.gate.grad.any()
