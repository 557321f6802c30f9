"""What is freed when, and misuse that is told before it does harm."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from scratchlm.scaling.data_parallel.global_loss import (
    rank_rows,
    sum_gradients,
)
from scratchlm.scaling.sharded_data_parallel.sharded_data_parallel import (
    ShardedDataParallel,
)
from scratchlm.training.optimizers.groups import muon_and_adamw


class Descent:
    """Ranks that import torch's optimizers take many seconds."""

    def __init__(self, model):
        self.parameters = list(model.parameters())

    @torch.no_grad()
    def step(self):
        for p in self.parameters:
            if p.grad is not None:
                p.sub_(p.grad, alpha=0.1)


def memory_of(group, tools, config, stage):
    """Bytes that units hold, at rest and while a block is at work."""
    sharded = ShardedDataParallel(
        tools.build(config), group, Descent, stage=stage
    )
    at_rest = [u.full.untyped_storage().nbytes() for u in sharded.all_units]
    seen = []

    def look(*_):
        seen.append(
            [
                u is not None and u.full.untyped_storage().nbytes() > 0
                for u in sharded.units
            ]
        )

    for block in sharded.model.blocks:
        block.feedforward.register_forward_hook(look)
    rows = rank_rows(tools.draw_rows(config), group)
    sum_gradients(sharded, tools.objective, rows)
    left = sum(u.full.untyped_storage().nbytes() for u in sharded.all_units)
    kept = [u.gradients for u in sharded.all_units]
    return at_rest, seen, left, kept


def test_what_is_not_needed_is_freed(ranks, tools, variants):
    """Everything right, and all of the model in memory all the time."""
    config = replace(variants["rope"], n_layers=4)
    for at_rest, seen, left, kept in ranks(2)(memory_of, tools, config, 3):
        assert sum(at_rest) == left == 0
        assert kept == [None] * 5
        # The one at work, and the one that comes next.
        assert seen[0] == [1, 1, 0, 0]
        assert seen[1] == [0, 1, 1, 0]
        assert seen[3] == [0, 0, 0, 1]
    for at_rest, _, left, _ in ranks(2)(memory_of, tools, config, 2):
        assert sum(at_rest) == left > 0


def step_alone(group, tools, config):
    model = tools.build(config)
    ShardedDataParallel(model, group, Descent, stage=2)
    batch = tools.draw_rows(config)
    tools.objective(model, batch).mean().backward()


def give_matrices(group, tools, config):
    ShardedDataParallel(
        tools.build(config), group, partial(muon_and_adamw, lr=0.1)
    )


def give_half(group, tools, config):
    ShardedDataParallel(tools.build(config).bfloat16(), group, Descent)


def give_stage(group, tools, config):
    ShardedDataParallel(tools.build(config), group, Descent, stage=4)


def give_no_blocks(group, tools, config):
    ShardedDataParallel(nn.Linear(2, 2), group, Descent)


def clip_at_nothing(group, tools, config):
    ShardedDataParallel(tools.build(config), group, Descent).clip(0.0)


def told(group, misuse, tools, config):
    try:
        misuse(group, tools, config)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("misuse", "remedy"),
    [
        (step_alone, "call backward of ShardedDataParallel"),
        (give_matrices, "take AdamW"),
        (give_half, "give the model in float32"),
        (give_no_blocks, "say which modules"),
        (clip_at_nothing, "give a number above 0"),
    ],
)
def test_misuse_is_told_before_it_does_harm(
    ranks, tools, small, misuse, remedy
):
    """Muon on pieces makes each a vector of length one; a plain backward
    pass trains each rank on its own rows."""
    for message in ranks(2)(told, misuse, tools, small):
        assert remedy in message


def closed(group, tools, config):
    model, alone = tools.build(config), tools.build(config)
    sharded = ShardedDataParallel(model, group, Descent, stage=3)
    sharded.close()
    tokens = tools.draw_rows(config).tokens
    F.mse_loss(model(tokens), torch.zeros(())).backward()
    return torch.equal(model(tokens), alone(tokens))


def test_close_gives_the_model_back(ranks, tools, small):
    """Pieces of weights in a model that was saved after training."""
    assert ranks(2)(closed, tools, small) == [True, True]
