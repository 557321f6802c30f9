"""Parts of parameters: cut, tied, joined, and their gradients clipped."""

import pytest
import torch
from torch import nn

from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.tensor_parallel.shards import Shards
from scratchlm.training.optimizers.clipping import clip_gradients


class Model(nn.Module):
    """A tied pair that is cut by rows, one by columns, and one that is not."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        weight = nn.Parameter(torch.randn(5, 3, generator=generator))
        self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.embedding.weight = self.head.weight = weight
        self.down = nn.Linear(5, 3, bias=False)
        with torch.no_grad():
            self.head.bias.copy_(torch.arange(5.0))
            self.down.weight.copy_(torch.arange(15.0).view(3, 5))


def with_gradients(model):
    for p in {id(p): p for p in model.parameters()}.values():
        p.grad = 2.0 * p.detach()
    return model


def cut_model(group):
    model = Model()
    shards = Shards(model, group)
    model.embedding.weight = shards.cut(model.embedding.weight, 0)
    model.head.weight = shards.cut(model.head.weight, 0)
    model.down.weight = shards.cut(model.down.weight, 1)
    shards.forget_whole()
    return model, shards


def test_parts_join_to_what_was_cut(ranks):
    """Parts of five rows on two ranks, joined in another order, along
    another dimension, or padded; and gradients under the wrong names."""

    def check(group):
        model, shards = cut_model(group)
        whole = with_gradients(Model())
        wanted = dict(whole.named_parameters(remove_duplicate=False))
        found = shards.whole()
        assert found.keys() == wanted.keys()
        for name, p in wanted.items():
            assert torch.equal(found[name], p.detach())
        assert shards.whole(lambda p: p.grad) == {}
        with_gradients(model)
        for name, gradient in shards.whole(lambda p: p.grad).items():
            assert torch.equal(gradient, wanted[name].grad)

    ranks(2)(check)
    ranks(4)(check)


def test_tied_weights_stay_one(ranks):
    """Two parts of one weight, each with the gradient of its own use."""

    def check(group):
        model, shards = cut_model(group)
        return (
            model.head.weight is model.embedding.weight,
            model.head.weight in shards,
            model.head.bias in shards,
        )

    assert ranks(2)(check) == [(True, True, False)] * 2


def test_gradients_are_clipped_as_in_one_process(ranks):
    """Each rank clips by a norm of its own, or copies count twice."""

    def check(group):
        model, shards = cut_model(group)
        whole = with_gradients(Model())
        with_gradients(model)
        due = clip_gradients(whole.parameters(), 0.5)
        assert abs(float(shards.clip(0.5) / due) - 1) < 1e-6
        assert abs(float(shards.gradient_norm()) - 0.5) < 1e-6
        wanted = dict(whole.named_parameters(remove_duplicate=False))
        for name, gradient in shards.whole(lambda p: p.grad).items():
            torch.testing.assert_close(gradient, wanted[name].grad)

    ranks(2)(check)


def test_a_gradient_that_is_not_finite_is_left_as_it_is(ranks):
    """One rank's infinite number makes all others nothing, or not-a-number;
    clipped on one rank alone, the ranks' models part."""

    def check(group):
        model, shards = cut_model(group)
        with_gradients(model)
        if group.rank() == 1:
            model.down.weight.grad[0, 0] = float("inf")
        before = model.head.bias.grad.clone()
        norm = float(shards.clip(0.5))
        return norm, torch.equal(model.head.bias.grad, before)

    assert ranks(2)(check) == [(float("inf"), True)] * 2


def test_the_bound_must_be_above_zero():
    """Gradients turned round by a negative length."""
    with pytest.raises(RankError, match=r"longest is -1\.0"):
        run(lambda group: Shards(Model(), group).clip(-1.0), 1)
