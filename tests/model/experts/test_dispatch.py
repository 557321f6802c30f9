from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.model.experts.dispatch import Capacity, dropless
from scratchlm.model.experts.routing import Routing, count_load


def route(chosen, n_experts, weights=None):
    """A routing that nobody computed, with weights that tell choices apart."""
    chosen = torch.tensor(chosen)
    if weights is None:
        weights = 1.0 + torch.arange(chosen.numel()).view(chosen.shape)
    scores = torch.zeros(len(chosen), n_experts)
    load = count_load(chosen, n_experts)
    return Routing(chosen, weights, scores, scores, load)


def pieces(plan):
    """For each expert, the (token, weight) pairs that count."""
    pairs = list(zip(plan.token.tolist(), plan.weight.tolist(), strict=True))
    starts = [0, *plan.ends.tolist()]
    return [
        [pair for pair in pairs[a:b] if pair[1]] for a, b in pairwise(starts)
    ]


def fill_naively(chosen, weights, n_experts, places, by_choice=False):
    """One choice after the other takes a place, if one is left."""
    queue = [(t, i) for t in range(len(chosen)) for i in range(len(chosen[0]))]
    if by_choice:
        queue.sort(key=lambda pair: pair[1])
    filled = [[] for _ in range(n_experts)]
    dropped = 0
    for t, i in queue:
        expert = filled[chosen[t][i]]
        if len(expert) < places:
            expert.append((t, float(weights[t][i])))
        else:
            dropped += 1
    return filled, dropped


choices = st.tuples(st.integers(1, 5), st.integers(1, 12)).flatmap(
    lambda sizes: st.tuples(
        st.just(sizes[0]),
        st.integers(1, sizes[0]).flatmap(
            lambda k: st.lists(
                st.permutations(range(sizes[0])).map(lambda p: p[:k]),
                min_size=sizes[1],
                max_size=sizes[1],
            )
        ),
    )
)


@given(choices)
def test_dropless_is_the_queue_of_each_expert(case):
    """A row that goes to a neighbour's expert, or carries its weight."""
    n_experts, chosen = case
    routing = route(chosen, n_experts)
    filled, _ = fill_naively(chosen, routing.weights, n_experts, 10**9)
    plan = dropless(routing)
    assert pieces(plan) == filled
    assert plan.dropped == 0
    assert plan.ends[-1] == len(plan.token) == routing.chosen.numel()


@given(choices, st.floats(0.1, 3.0), st.booleans())
def test_capacity_is_first_come_first_served(case, factor, by_choice):
    """An off-by-one in the last place, a drop that is not counted, a queue
    in another order."""
    n_experts, chosen = case
    routing = route(chosen, n_experts)
    plan = Capacity(factor, by_choice=by_choice)(routing)
    places = int(plan.ends[0])
    n_choices = routing.chosen.numel()
    assert factor * n_choices <= places * n_experts + 1e-9
    assert (places - 1) * n_experts < factor * n_choices + 1e-9
    filled, dropped = fill_naively(
        chosen, routing.weights, n_experts, places, by_choice
    )
    assert pieces(plan) == filled
    assert plan.dropped == dropped
    assert plan.ends.diff().tolist() == [places] * (n_experts - 1)


def test_a_later_token_takes_no_place_in_order():
    """With first choices first, token 2 evicts the second choice of token
    0: what the model says about a text depends on what follows."""
    before = route([[1, 0], [1, 0], [1, 2]], 3)
    after = route([[1, 0], [1, 0], [0, 2]], 3)
    for by_choice, same in [(False, True), (True, False)]:
        capacity = Capacity(0.5, by_choice=by_choice)
        first = [
            [pair for piece in pieces(capacity(routing)) for pair in piece]
            for routing in (before, after)
        ]
        kept = [[p for p in pairs if p[0] < 2] for pairs in first]
        assert (kept[0] == kept[1]) == same


def test_weights_have_their_gradient():
    """A scatter through which the router learns nothing."""
    weights = torch.ones(3, 2, requires_grad=True)
    routing = route([[0, 1], [0, 1], [0, 2]], 3, weights)
    Capacity(0.5)(routing).weight.sum().backward()
    assert weights.grad.tolist() == [[1, 1], [0, 0], [0, 1]]


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_no_places_are_refused(factor):
    """A layer that drops everything and trains on."""
    with pytest.raises(ValueError, match="no places"):
        Capacity(factor)
