"""Experts on several ranks: each gradient against one process."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.scaling.small_models import SMALL as DENSE
from tests.scaling.small_models import apart, build
from torch import distributed as dist

from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.experts.dispatch import Capacity
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.experts.routing import BiasedRouter, SoftmaxRouter
from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.context_and_expert_parallel.expert_parallel import (
    ExpertParallel,
)
from scratchlm.scaling.data_parallel.global_loss import sum_over_ranks
from scratchlm.training.objective.loss import next_token_loss, together
from scratchlm.training.optimizers.adam import AdamW

EXPERTS = partial(MixtureOfExperts, n_experts=4, top_k=2)
SMALL = replace(DENSE, d_ff=24, feedforward=EXPERTS)


class Favourites(SoftmaxRouter):
    """Everything goes to experts one and three; the others see nothing."""

    def logits(self, x):
        shift = torch.tensor([-50.0, 50.0, -50.0, 50.0], dtype=x.dtype)
        return super().logits(x) + shift


CONFIGS = {
    "two of four": SMALL,
    "a shared expert, and dense layers": replace(
        SMALL,
        n_layers=3,
        feedforward=(
            SwiGLU,
            partial(EXPERTS, shared=partial(SwiGLU, d_ff=10)),
        ),
    ),
    "one of four, not normalized": replace(
        SMALL,
        feedforward=partial(
            MixtureOfExperts,
            n_experts=4,
            top_k=1,
            router=partial(SoftmaxRouter, normalize=False),
        ),
    ),
    "experts without a token": replace(
        SMALL, feedforward=partial(EXPERTS, router=Favourites)
    ),
    "biased, tied": replace(
        SMALL, tied=True, feedforward=partial(EXPERTS, router=BiasedRouter)
    ),
    "places": replace(
        SMALL, feedforward=partial(EXPERTS, dispatch=Capacity(0.75))
    ),
}


def draw(seed, size, n_rows=None):
    """Rows of each rank: of unequal numbers, with unequal numbers of targets,
    and of four ranks the last has none. Of two both need some: a sum of which
    one summand is zero would hide that it isn't made."""
    generator = torch.Generator().manual_seed(seed)
    n_rows = n_rows or [1 + rank for rank in range(size)]
    parts = []
    for rank, n in enumerate(n_rows):
        tokens, targets = torch.randint(61, (2, n, 9), generator=generator)
        targets[:, : 2 * rank] = -100
        if rank == 3:
            targets[:] = -100
        parts.append((tokens, targets))
    return parts


def loss_of(model, tokens, targets):
    return next_token_loss(model.hidden(tokens), model.head.weight, targets)


def train(group, config, n_rows=None, n_steps=3, dtype=torch.float64):
    """How far losses, gradients, norms and weights are from one process,
    which computes the rows of each rank in turn: places are counted so."""
    alone, model = build(config).to(dtype), build(config).to(dtype)
    experts = ExpertParallel(model, group)
    optimizers = [AdamW(m.parameters(), lr=1e-2) for m in (alone, model)]
    off = {}
    for step in range(n_steps):
        parts = draw(step, group.size(), n_rows)
        loss = loss_of(model, *parts[group.rank()])
        due = together(loss_of(alone, *part) for part in parts)
        count = sum_over_ranks(loss.count, group)
        assert due.count == count
        total = loss.total.detach().clone()
        dist.all_reduce(total, group=group)
        off[step, "loss"] = apart(total, due.total.detach())
        due.over(count).backward()
        experts.backward(loss.over(count))
        wanted = dict(alone.named_parameters(remove_duplicate=False))
        if step == 0:
            found = experts.shards.whole(lambda p: p.grad)
            assert found.keys() == wanted.keys()
            off |= {n: apart(found[n], p.grad) for n, p in wanted.items()}
        every = [p.grad for p in alone.parameters()]
        norm = float(torch.nn.utils.get_total_norm(every))
        off[step, "norm"] = abs(experts.shards.gradient_norm() / norm - 1)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    found = experts.shards.whole()
    for name, p in wanted.items():
        off["trained", name] = apart(found[name], p.detach())
    return off


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_two_ranks_compute_what_one_process_does(ranks, config):
    """Gradients below the experts that lose their sum over ranks, so that a
    router's norm is off by half while the loss is normal; an expert's that is
    summed with another expert's; answers that come back in another order."""
    for off in ranks(2)(train, config):
        assert max(off.values()) < 1e-11, off


def test_four_ranks_with_one_expert_each(ranks):
    """Ranks whose only expert sees no token at all still have to come."""

    def check(group):
        names = ("two of four", "experts without a token")
        return [train(group, CONFIGS[name], n_steps=2) for name in names]

    for found in ranks(4)(check):
        for off in found:
            assert max(off.values()) < 1e-11, off


def test_a_rank_without_rows_serves_the_others(ranks):
    """It skips the model, and the others wait for its experts for ever."""
    for off in ranks(2)(train, SMALL, [3, 0]):
        assert max(off.values()) < 1e-11, off


def test_in_single_precision_only_roundings_differ(ranks):
    """A sum that is rounded to fewer bits on its way."""
    for off in ranks(2)(train, SMALL, None, 1, torch.float32):
        gradients = {k: v for k, v in off.items() if "trained" not in k}
        assert max(gradients.values()) < 2e-6, gradients


def test_several_micro_batches_are_summed_once(ranks):
    """A sum after each of them counts the first ones several times."""

    def check(group):
        alone, model = build(SMALL).double(), build(SMALL).double()
        experts = ExpertParallel(model, group)
        batches = [draw(seed, group.size()) for seed in (0, 1)]
        for i, parts in enumerate(batches):
            loss = loss_of(model, *parts[group.rank()])
            experts.backward(loss.over(100), last=i == 1)
            together(loss_of(alone, *p) for p in parts).over(100).backward()
        found = experts.shards.whole(lambda p: p.grad)
        return max(
            apart(found[n], p.grad) for n, p in alone.named_parameters()
        )

    assert max(ranks(2)(check)) < 1e-11


def test_each_token_is_sent_to_where_its_expert_is(ranks):
    """Every rank that computes all tokens for its experts and throws most
    of it away gives the same numbers."""

    def check(group):
        model = build(CONFIGS["experts without a token"])
        ExpertParallel(model, group)
        tokens = torch.zeros(1, 8, dtype=torch.int64)
        with torch.no_grad():
            model(tokens)
        visits = [block.feedforward.visit for block in model.blocks]
        weights = sum(p.numel() for p in model.parameters())
        return [(v.sent, v.computed) for v in visits], weights

    # One of both favourites is at home, and each rank has one.
    told = ranks(2)(check)
    assert [counts for counts, _ in told] == [[(8, 16), (8, 16)]] * 2
    experts = 2 * 4 * 3 * 32 * 24
    total = sum(p.numel() for p in build(SMALL).parameters())
    assert [n for _, n in told] == [total - experts // 2] * 2


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            replace(SMALL, feedforward=partial(EXPERTS, n_experts=3)),
            "blocks.0.feedforward has 3 experts, which 2 ranks",
        ),
        (replace(SMALL, feedforward=SwiGLU), "has no MixtureOfExperts"),
    ],
)
def test_a_model_that_cannot_be_cut_is_refused(config, told):
    """The last experts belong to nobody."""
    with pytest.raises(RankError, match=told):
        run(lambda group: ExpertParallel(build(config), group), 2)


def test_ranks_that_start_from_other_weights_are_found():
    """Experts of two models, joined into one that nobody trained."""

    def start(group):
        model = build(SMALL)
        if group.rank() == 1:
            model.blocks[0].feedforward.gate.data[0] += 1
        ExpertParallel(model, group)

    with pytest.raises(RankError, match=r"feedforward\.gate"):
        run(start, 2)
