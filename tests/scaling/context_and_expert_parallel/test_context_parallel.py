"""Positions on several ranks: each gradient against one process."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.scaling.small_models import SMALL, apart, build
from torch import distributed as dist

from scratchlm.model.attention.attention import Attention
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.norm import norm_all_heads
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.efficient_attention.tiled_attention import Tiled
from scratchlm.model.embeddings.embedding import LearnedPositions
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.positions.rotary import NoRotation
from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.context_and_expert_parallel.context_parallel import (
    ContextParallel,
)
from scratchlm.scaling.context_and_expert_parallel.layouts import (
    contiguous,
    positions_of,
    zigzag,
)
from scratchlm.scaling.data_parallel.data_parallel import DataParallel
from scratchlm.scaling.data_parallel.global_loss import sum_over_ranks
from scratchlm.training.objective.loss import next_token_loss
from scratchlm.training.optimizers.adam import AdamW

CONFIGS = {
    "grouped heads": SMALL,
    "one key head, tied": replace(SMALL, n_kv_heads=1, tied=True),
    "learned positions": replace(
        SMALL, embedding=LearnedPositions, rotary=NoRotation, max_tokens=13
    ),
    "a window in every second layer": replace(
        SMALL, core=(partial(DotProduct, mask=Window(5)), Tiled)
    ),
    "norm of all heads": replace(
        SMALL, attention=partial(Attention, qk_norm=norm_all_heads)
    ),
    "latents": replace(
        SMALL,
        n_kv_heads=4,
        d_rotary=4,
        attention=partial(LatentAttention, d_latent=12, d_rotary=4),
    ),
}
WAYS = (("ring", zigzag), ("ring", contiguous), ("ulysses", contiguous))


def draw(seed=0, n_tokens=13):
    """Packed rows; the first positions, and so a rank, have no target."""
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(61, (2, 3, n_tokens), generator=generator)
    documents = torch.zeros_like(tokens)
    documents[1, n_tokens // 3 :] = 1
    targets[:, : -(-n_tokens // 4)] = -100
    targets[2, n_tokens // 2 :] = -100
    return tokens, targets, documents


def whole_loss(model, tokens, targets, documents):
    x = model.hidden(tokens, documents=documents)
    return next_token_loss(x, model.head.weight, targets)


def train(  # noqa: PLR0917
    group,
    config,
    kind,
    layout,
    n_tokens=13,
    n_steps=3,
    dtype=torch.float64,
    **buckets,
):
    """How far losses, gradients and weights are from one process."""
    alone, model = build(config).to(dtype), build(config).to(dtype)
    context = ContextParallel(model, group, kind=kind, layout=layout)
    parallel = DataParallel(model, group, **buckets)
    optimizers = [AdamW(m.parameters(), lr=1e-2) for m in (alone, model)]
    off = {}
    for step in range(n_steps):
        batch = draw(step, n_tokens)
        due, loss = whole_loss(alone, *batch), context.loss(*batch)
        count = sum_over_ranks(loss.count, group)
        assert due.count == count
        total = loss.total.detach().clone()
        dist.all_reduce(total, group=group)
        off[step, "loss"] = apart(total, due.total.detach())
        due.over(count).backward()
        parallel.backward(loss.over(count))
        wanted = dict(alone.named_parameters())
        if step == 0:
            off |= {
                name: apart(p.grad, wanted[name].grad)
                for name, p in model.named_parameters()
            }
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    for name, p in model.named_parameters():
        off["trained", name] = apart(p.detach(), wanted[name].detach())
    return off


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_two_ranks_compute_what_one_process_does(ranks, config):
    """Positions that begin at 0 on each rank, a mean per rank, a padded
    position that is seen, a rank whose keys get no gradient since it has no
    target: the loss looks normal in most of these."""

    def check(group):
        return {way: train(group, config, *way) for way in WAYS}

    for found in ranks(2)(check):
        for way, off in found.items():
            assert max(off.values()) < 1e-11, (way, off)


def test_four_ranks_one_of_which_has_no_target(ranks):
    """With one piece each, rank zero's positions count for nothing, and its
    keys are needed all the same."""

    def check(group):
        found = [
            train(group, replace(SMALL, n_kv_heads=k), *way, 16, 1)
            for k in (1, 2)
            for way in WAYS
        ]
        context = ContextParallel(build(SMALL), group, layout=contiguous)
        return found, int(context.loss(*draw(0, 16)).count)

    told = ranks(4)(check)
    for found, _ in told:
        for off in found:
            assert max(off.values()) < 1e-11, off
    counts = [count for _, count in told]
    assert counts[0] == 0
    assert len({*counts}) > 2


def test_gradients_are_summed_while_keys_travel(ranks):
    """With buckets as small as here, sums begin in the middle of the backward
    pass, and one rank's sum meets another rank's keys."""

    def check(group):
        small = {"most": 3000, "first": 500}
        return [train(group, SMALL, *way, 16, 2, **small) for way in WAYS]

    for found in ranks(2)(check):
        for off in found:
            assert max(off.values()) < 1e-11, off


def test_in_single_precision_only_roundings_differ(ranks):
    """A sum that is rounded to fewer bits on its way."""

    def check(group):
        off = train(group, SMALL, "ring", zigzag, 16, 1, torch.float32)
        off |= train(group, SMALL, "ulysses", zigzag, 16, 1, torch.float32)
        return {k: v for k, v in off.items() if "trained" not in k}

    for off in ranks(2)(check):
        assert max(off.values()) < 2e-6, off


def test_what_comes_later_changes_nothing_before(ranks):
    """A rank's first position taken for position 0: it sees what comes after
    it, and training learns to copy."""

    def check(group, kind, layout):
        context = ContextParallel(
            build(SMALL), group, kind=kind, layout=layout
        )
        tokens, targets, _ = draw(n_tokens=16)
        changed = tokens.clone()
        changed[:, 9:] = (changed[:, 9:] + 1) % 61
        shares = [context.share(x, targets) for x in (tokens, changed)]
        with torch.no_grad():
            before, after = (context.hidden(share) for share in shares)
        here = positions_of(layout(16, group.size())[group.rank()])
        early = here < 9
        torch.testing.assert_close(before[:, early], after[:, early])
        assert (
            not torch.isclose(before[:, ~early], after[:, ~early])
            .all(-1)
            .any()
        )

    for way in WAYS:
        ranks(2)(check, *way)


def test_every_split_has_the_positions_of_the_whole(ranks):
    """The head axis cut in place of the positions: shapes are right where
    the two are equally long, and each rank sees a quarter of the text."""

    def check(group):
        context = ContextParallel(build(SMALL), group)
        tokens = torch.arange(16).repeat(1, 1)
        share = context.share(tokens, tokens)
        assert share.positions.equal(share.tokens)
        assert share.documents is None
        return share.tokens[0].tolist()

    held = ranks(2)(check)
    assert held == [[0, 1, 2, 3, 12, 13, 14, 15], [*range(4, 12)]]


def test_padding_belongs_to_no_document_and_counts_for_nothing(ranks):
    """A target of 0 is a token; and a padded row longer than the model."""

    def check(group):
        config = replace(SMALL, max_tokens=13)
        context = ContextParallel(build(config), group)
        tokens, targets, _ = draw()
        share = context.share(tokens, targets)
        assert share.positions.max() <= 12
        assert share.documents.starts[0, 13:].tolist() == [13, 14, 15]
        return int((share.targets != -100).sum()), share.tokens.shape[1]

    told = ranks(2)(check)
    _, targets, _ = draw()
    assert sum(n for n, _ in told) == int((targets != -100).sum())
    assert [n for _, n in told] == [8, 8]


@pytest.mark.parametrize(
    ("config", "kind", "told"),
    [
        (SMALL, "star", "kind is 'star'; give 'ring' or 'ulysses'"),
        (
            replace(SMALL, core=partial(Softcapped, cap=2.0)),
            "ring",
            "blocks.0.attention is Softcapped, whose .*use DotProduct",
        ),
        (
            replace(SMALL, core=ALiBi),
            "ulysses",
            "ALiBi, treats each head in its own",
        ),
        (
            replace(SMALL, n_heads=3, n_kv_heads=1),
            "ulysses",
            "has 3 query heads, which .* 2 ranks.*ring",
        ),
    ],
)
def test_a_model_that_cannot_be_cut_is_refused(config, kind, told):
    """A cap that is lost on the way, and a loss that is wrong by a little."""

    def start(group):
        model = build(config)
        cores = [block.attention.core for block in model.blocks]
        try:
            ContextParallel(model, group, kind=kind)
        finally:  # nothing is changed by half
            assert cores == [block.attention.core for block in model.blocks]

    with pytest.raises(RankError, match=told):
        run(start, 2)


def test_rows_that_do_not_fit_are_refused():
    """A turn for a position that the model was never trained on."""

    def read(group, n_tokens, n_targets):
        config = CONFIGS["learned positions"]
        context = ContextParallel(build(config), group)
        row = torch.zeros(1, n_tokens, dtype=torch.int64)
        context.share(row, row[:, :n_targets])

    for n_tokens, n_targets, told in (
        (14, 14, "14 positions, but the model has vectors for 13"),
        (12, 11, r"targets have shape \(1, 11\), and tokens \(1, 12\)"),
    ):
        with pytest.raises(RankError, match=told):
            run(read, 1, n_tokens, n_targets)


def test_ranks_that_start_from_other_weights_are_found():
    """Each rank trains a model of its own."""

    def start(group):
        model = build(SMALL)
        if group.rank() == 1:
            model.norm.weight.data[0] += 1
        ContextParallel(model, group)

    with pytest.raises(RankError, match=r"norm\.weight"):
        run(start, 2)
