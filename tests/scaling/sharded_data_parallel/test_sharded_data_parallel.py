"""Each stage equals one process: gradients, and the weights after steps."""

import os
from functools import partial
from unittest.mock import patch

import pytest
import torch
from torch import distributed as dist
from torch import nn

from scratchlm.scaling.data_parallel.global_loss import (
    rank_rows,
    sum_gradients,
)
from scratchlm.scaling.sharded_data_parallel.sharded_data_parallel import (
    ShardedDataParallel,
)
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.clipping import clip_gradients
from scratchlm.training.pretraining.memory import recompute_blocks

CLOSE = 1e-6


class Descent:
    """Ranks that import torch's optimizers take many seconds."""

    def __init__(self, model):
        self.parameters = list(model.parameters())

    @torch.no_grad()
    def step(self):
        for p in self.parameters:
            if p.grad is not None:
                p.sub_(p.grad, alpha=0.1)


def whole_gradients(sharded):
    """Join what each rank has of each gradient."""
    found = {}
    names = {id(p): name for name, p in sharded.model.named_parameters()}
    for unit in sharded.all_units:
        own = torch.zeros_like(unit.master)
        if unit.sums is not None:
            own.copy_(unit.sums)
        parts = [torch.zeros_like(own) for _ in range(sharded.group.size())]
        dist.all_gather(parts, own, group=sharded.group)
        cut = unit._cut(torch.cat(parts))
        for p, gradient in zip(unit.parameters, cut, strict=True):
            found[names[id(p)]] = gradient.clone()
    return found


def of_all_variants(group, tools, variants, stage):
    """How far loss, gradients and norm of each variant are off."""
    found = {}
    for name, config in variants.items():
        batch = tools.draw_rows(config)
        alone, together = tools.build(config), tools.build(config)
        mean = tools.in_one_process(alone, batch)
        sharded = ShardedDataParallel(together, group, Descent, stage=stage)
        rows = rank_rows(batch, group)
        loss = sum_gradients(sharded, tools.objective, rows, n_micro=2)
        apart = tools.farthest(
            whole_gradients(sharded), tools.gradients(alone)
        )
        norm = sharded.clip(1e-3)
        expected = clip_gradients(alone.parameters(), 1e-3)
        again = sharded.clip(1e9)
        off = max(abs(norm / expected - 1), abs(again / 1e-3 - 1))
        found[name] = (float(loss.mean()) / mean - 1, apart, float(off))
    return found


@pytest.mark.parametrize(
    ("world_size", "stage"), [(2, 1), (2, 2), (2, 3), (3, 3)]
)
def test_each_gradient_is_that_of_one_process(
    ranks, tools, variants, world_size, stage
):
    """Means of means; a sum that is lost or added twice between
    micro-batches; padding that shifts a parameter; a tied weight that is
    gathered in one place and not in the other; or a norm of this rank's own
    part, or in which a shared weight counts twice."""
    for found in ranks(world_size)(of_all_variants, tools, variants, stage):
        for name, (loss, apart, norm) in found.items():
            assert abs(loss) < CLOSE, name
            assert apart < CLOSE, name
            assert norm < 1e-5, name


def after_steps(group, tools, config, optimizer, stage):
    """Weights after five steps: one process in W parts, and W ranks."""
    alone, together = tools.build(config), tools.build(config)
    own = optimizer(alone)
    sharded = ShardedDataParallel(together, group, optimizer, stage=stage)
    for step in range(5):
        batch = tools.draw_rows(config, n_rows=6, seed=step)
        tools.in_one_process(alone, batch, group.size())
        own.step()
        alone.zero_grad()
        sum_gradients(sharded, tools.objective, rank_rows(batch, group))
        sharded.step()
        with torch.no_grad(), sharded.gathered() as whole:
            whole(batch.tokens)  # looked at between steps
    with sharded.gathered():
        return [
            {name: p.detach().clone() for name, p in model.named_parameters()}
            for model in (alone, together)
        ]


OPTIMIZERS = {
    "ours": lambda model: AdamW(model.parameters(), 1e-2),
    "torch": lambda model: torch.optim.AdamW(model.parameters(), 1e-2),
}


@pytest.mark.slow  # optimizers import PyTorch's compiler, in each rank
@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_five_steps_of_two_ranks_are_bit_equal(
    ranks, tools, variants, stage, name
):
    """A whole that is out of date after a step, or masters that are; the
    optimizer's state of another piece. Each rank adds what it receives in
    the order of the ranks, as one process adds its parts."""
    run = partial(ranks(2), after_steps, tools, variants["tied"])
    for alone, together in run(OPTIMIZERS[name], stage):
        for key, weight in alone.items():
            assert torch.equal(weight, together[key]), key


def test_five_steps_of_three_ranks_are_bit_equal(ranks, tools, variants):
    """The order of a sum over more than two ranks is ours to choose, and it
    is that of one process. No width here is a multiple of three."""
    config = variants["MLP and SwiGLU in turn"]
    for alone, together in ranks(3)(after_steps, tools, config, Descent, 3):
        for key, weight in alone.items():
            assert torch.equal(weight, together[key]), key


def beside_torch(group, tools, config):
    """Our gradients, and those of torch's fully_shard."""
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import fully_shard

    ours, theirs = tools.build(config), tools.build(config)
    batch = tools.draw_rows(config, n_rows=4, empty=0)
    batch = batch._replace(targets=batch.tokens)
    rows = rank_rows(batch, group)
    sharded = ShardedDataParallel(ours, group, Descent, stage=3)
    sum_gradients(sharded, tools.objective, rows)
    mesh = DeviceMesh.from_group(group, "cpu")
    for block in theirs.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(theirs, mesh=mesh)
    tools.objective(theirs, rows).mean().backward()
    found = {n: p.grad.full_tensor() for n, p in theirs.named_parameters()}
    return tools.farthest(whole_gradients(sharded), found)


@pytest.mark.slow  # the ranks import PyTorch's compiler
def test_gradients_are_those_of_torch_s_fully_shard(ranks, tools, variants):
    """Where every rank has as many tokens, the mean of means is the mean."""
    for apart in ranks(2)(beside_torch, tools, variants["tied"]):
        assert apart < CLOSE


def beside_deepspeed(group, tools, config, stage):
    import deepspeed
    from deepspeed.utils import safe_get_full_grad

    ours, theirs = tools.build(config), tools.build(config)
    batch = tools.draw_rows(config, n_rows=4, empty=0)
    batch = batch._replace(targets=batch.tokens)
    rows = rank_rows(batch, group)
    sharded = ShardedDataParallel(ours, group, Descent, stage=max(stage, 1))
    sum_gradients(sharded, tools.objective, rows)
    with patch.dict(os.environ, {"LOCAL_RANK": str(group.rank())}):
        deepspeed.init_distributed("gloo")
        engine, *_ = deepspeed.initialize(
            model=theirs,
            optimizer=torch.optim.SGD(theirs.parameters(), 0.0),
            config={
                "train_micro_batch_size_per_gpu": len(rows.tokens),
                "zero_optimization": {"stage": stage},
                "zero_allow_untested_optimizer": True,
                "gradient_clipping": 0.0,
            },
        )
        engine.backward(tools.objective(engine, rows).mean())
        named = theirs.named_parameters()
        found = {name: safe_get_full_grad(p) for name, p in named}
    return tools.farthest(whole_gradients(sharded), found)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_gradients_are_those_of_deepspeed(ranks, tools, small, stage):
    """Another implementation of ZeRO, where it is installed."""
    pytest.importorskip("deepspeed")
    for apart in ranks(2)(beside_deepspeed, tools, small, stage):
        assert apart < CLOSE


class Scaled(nn.Linear):
    def __init__(self):
        super().__init__(3, 3)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.unused = nn.Parameter(torch.ones(5))

    def forward(self, x):
        return super().forward(x * self.scale)


class Odd(nn.Module):
    """Tied and 0-d and unused weights, in blocks that have no ``blocks``."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, 3), Scaled()
        self.second.weight = self.first.weight  # over two units
        self.bias = nn.Parameter(torch.ones(3), requires_grad=False)
        nn.init.normal_(self.first.weight)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        return self.second(x + self.bias).square().sum()


def odd(group, stage, used):
    model, alone = Odd(), Odd()
    modules = [model.first, model.second]
    names = [name for name, _ in model.named_parameters()]
    sharded = ShardedDataParallel(
        model, group, Descent, stage=stage, modules=modules
    )
    xs = [torch.arange(3.0) + r for r in range(group.size())]
    own = xs[group.rank()] if used[group.rank()] else None
    sharded.backward(None if own is None else model(own))
    for x, is_used in zip(xs, used, strict=True):
        if is_used:
            alone(x).backward()
    has = [p.grad is not None for p in model.parameters()]
    return (
        whole_gradients(sharded),
        names,
        has,
        {name: p.grad for name, p in alone.named_parameters()},
    )


@pytest.mark.parametrize("stage", [1, 3])
@pytest.mark.parametrize("used", [(1, 1, 1), (1, 0, 1)])
def test_odd_parameters_are_shared_out(ranks, stage, used):
    """torch's fully_shard refuses a weight that two of its groups share, and
    a parameter without an axis. A rank without rows must take part in all
    that the others gather; an unused parameter has no gradient."""
    found = ranks(3)(odd, stage, used)
    for gradients, names, _, expected in found:
        for name in names:
            if expected[name] is not None:
                apart = gradients[name] - expected[name]
                assert apart.norm() <= 1e-6 * expected[name].norm(), name
            else:
                assert not gradients[name].any()
    for name, *has in zip(
        found[0][1], *(each[2] for each in found), strict=True
    ):
        assert any(has) == (found[0][3][name] is not None), name


def uneven_parts(group, tools, config):
    """Ranks with unlike numbers of rows and micro-batches, or without any."""
    alone, together = tools.build(config), tools.build(config)
    batch = tools.draw_rows(config, n_rows=5, empty=1)
    tools.in_one_process(alone, batch)
    bounds = [(0, 4), (0, 0), (4, 5)][group.rank()]
    rows = type(batch)(*(x[slice(*bounds)] for x in batch[:2]))
    sharded = ShardedDataParallel(together, group, Descent, stage=3)
    n_micro = [3, 1, 1][group.rank()]
    sum_gradients(
        sharded,
        tools.objective,
        rows if len(rows.tokens) else None,
        n_micro=n_micro,
    )
    return tools.farthest(whole_gradients(sharded), tools.gradients(alone))


def test_ranks_need_not_have_as_many_parts(ranks, tools, small):
    """At stage 3 a forward pass gathers: a rank with fewer micro-batches, or
    none, leaves the others waiting."""
    for apart in ranks(3)(uneven_parts, tools, small):
        assert apart < CLOSE


def in_bfloat16(group, tools, config, reduce_dtype):
    """How far gradients are off, and what the types are."""
    alone, together = tools.build(config), tools.build(config)
    batch = tools.draw_rows(config)
    tools.in_one_process(alone, batch)
    sharded = ShardedDataParallel(
        together,
        group,
        Descent,
        stage=3,
        dtype=torch.bfloat16,
        reduce_dtype=reduce_dtype,
    )
    masters = {u.master.dtype for u in sharded.all_units}
    kept = torch.cat([u.master for u in sharded.all_units])
    sum_gradients(sharded, tools.objective, rank_rows(batch, group))
    found = whole_gradients(sharded)
    off = tools.farthest(found, tools.gradients(alone))
    with sharded.gathered():
        types = {p.dtype for p in together.parameters()}
    whole = torch.cat([p.detach().flatten() for p in alone.parameters()])
    return off, masters, types, len(kept), len(whole), kept.bfloat16().float()


def test_masters_keep_all_bits_while_the_model_computes_in_fewer(
    ranks, tools, small
):
    """Masters that were rounded when the model was cast, so that small
    steps are lost; or a sum of gradients in bfloat16."""
    for reduce_dtype in (torch.float32, torch.bfloat16):
        for off, masters, types, n, whole, rounded in ranks(2)(
            in_bfloat16, tools, small, reduce_dtype
        ):
            assert 1e-4 < off < 0.1
            assert masters == {torch.float32}
            assert types == {torch.bfloat16}
            assert whole / 2 <= n < whole / 2 + 20
            assert rounded.shape == (n,)


def recomputed(group, tools, config):
    alone, together = tools.build(config), tools.build(config)
    batch = tools.draw_rows(config)
    tools.in_one_process(alone, batch)
    recompute_blocks(together)
    sharded = ShardedDataParallel(together, group, Descent, stage=3)
    sum_gradients(sharded, tools.objective, rank_rows(batch, group))
    return tools.farthest(whole_gradients(sharded), tools.gradients(alone))


def test_blocks_can_be_computed_again(ranks, tools, small):
    """A forward pass within the backward pass that finds freed weights."""
    for apart in ranks(2)(recomputed, tools, small):
        assert apart < CLOSE
