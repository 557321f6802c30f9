"""Norms over stages count each weight once."""

from dataclasses import replace

import pytest
import torch

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.pipeline_parallel import (
    add_shared_gradients,
    clip_gradients,
    gradient_norm,
    own_parameters,
    split_model,
)
from scratchlm.training.optimizers import clipping

SMALL = TransformerConfig(
    vocab_size=61,
    d_model=32,
    n_layers=4,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=48,
    max_tokens=64,
)
# By the stages of each rank: one of two, a V, and all of one process.
PLACES = {"two": ([0], [1]), "v": ([0, 3], [1, 2])}


def model_with_gradients(tied):
    torch.manual_seed(0)
    model = Transformer(replace(SMALL, tied=tied))
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight)
    return model


def clip(group, tied, place, longest):
    model = model_with_gradients(tied)
    here = PLACES[place][group.rank()]
    stages = split_model(model, here, 2 * len(here))
    before = gradient_norm(stages, group)
    told = clip_gradients(stages, group, longest)
    expected = model_with_gradients(tied)
    due = clipping.clip_gradients(expected.parameters(), longest)
    pairs = dict(expected.named_parameters(remove_duplicate=False))
    off = [
        float((weight.grad - pairs[name].grad).abs().max())
        for stage in stages.values()
        for name, weight in stage.named_parameters()
    ]
    return float(before), float(told), float(due), max(off)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_the_norm_is_that_of_one_process(ranks, tied, place):
    """Clipping by the norm of each stage alone, which turns the gradient;
    a tied weight that counts on both of its ranks, or on neither."""
    for longest in (3.0, 1e6):
        told = ranks(2)(clip, tied, place, longest)
        assert len({told[rank][:2] for rank in range(2)}) == 1
        for before, clipped, due, off in told:
            assert before == clipped == pytest.approx(due, rel=1e-6)
            assert off < 1e-6


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_each_parameter_counts_on_one_rank(tied, place):
    """Weights whose decay or norm is counted twice, or never."""
    model = Transformer(replace(SMALL, tied=tied))
    own = [
        weight
        for here in PLACES[place]
        for weight in own_parameters(split_model(model, here, 2 * len(here)))
    ]
    every = [*model.parameters()]
    assert len(own) == len(every)
    assert {id(weight) for weight in own} == {id(weight) for weight in every}


def say_infinite(group):
    model = model_with_gradients(tied=False)
    stages = split_model(model, [group.rank()], 2)
    weight = next(stages[group.rank()].parameters())
    if group.rank() == 0:
        weight.grad[0] = torch.inf
    before = weight.grad.clone()
    norm = clip_gradients(stages, group, 1.0)
    return float(norm), weight.grad.equal(before)


def test_an_infinite_gradient_is_told_to_all(ranks):
    """One rank skips the step, and the others take it."""
    assert ranks(2)(say_infinite) == [(torch.inf, True)] * 2


def exchange(group):
    torch.manual_seed(group.rank())
    mine = torch.randn(5, 3)
    return mine, add_shared_gradients(
        mine.T.contiguous().T, group, 1 - group.rank()
    )


def test_both_copies_get_the_same_bits(ranks):
    """Copies of one weight that drift apart over thousands of steps."""
    (a, one), (b, other) = ranks(2)(exchange)
    assert one.equal(other)
    assert one.equal(a + b)


def clip_to_nothing(group):
    try:
        clip_gradients({}, group, 0.0)
    except ValueError as error:
        return str(error)


def test_a_bound_of_nothing_is_refused(ranks):
    """A gradient of zeros is no gradient."""
    said = "longest is 0.0; give a number above 0"
    assert ranks(2)(clip_to_nothing) == [said] * 2
