"""Ranks equal one process: each gradient, and the weights after steps."""

from functools import partial

import pytest
import torch
from torch import distributed as dist
from torch import nn

from scratchlm.scaling.collectives.local import RankError
from scratchlm.scaling.data_parallel.data_parallel import (
    DataParallel,
    start_sum,
)
from scratchlm.scaling.data_parallel.global_loss import (
    rank_rows,
    sum_gradients,
)
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.optimizers.groups import muon_and_adamw

CLOSE = 1e-6
SMALL_BUCKETS = {"most": 4096, "first": 512}
OPTIMIZERS = {
    "ours": lambda model: AdamW(model.parameters(), 1e-2),
    "torch": lambda model: torch.optim.AdamW(model.parameters(), 1e-2),
    "muon": lambda model: muon_and_adamw(model, lr=1e-2),
}


class Descent:
    """Three ranks that import torch's optimizers take many seconds."""

    def __init__(self, model):
        self.model, self.zero_grad = model, model.zero_grad

    @torch.no_grad()
    def step(self):
        for p in self.model.parameters():
            p.sub_(p.grad, alpha=0.1)


def of_all_variants(group, tools, variants):
    """How far loss and gradients of each variant are from one process."""
    found = {}
    for name, config in variants.items():
        batch = tools.draw_rows(config)
        alone, together = tools.build(config), tools.build(config)
        mean = tools.in_one_process(alone, batch)
        parallel = DataParallel(together, group, **SMALL_BUCKETS)
        rows = rank_rows(batch, group)
        loss = sum_gradients(parallel, tools.objective, rows, n_micro=2)
        apart = tools.farthest(
            tools.gradients(together), tools.gradients(alone)
        )
        found[name] = (float(loss.mean()) / mean - 1, apart)
    return found


@pytest.mark.parametrize("world_size", [2, 3])
def test_each_gradient_is_that_of_one_process(
    ranks, tools, variants, world_size
):
    """A mean of the ranks' means: the last rank has hardly a valid token,
    and each of its tokens weighs many times as much as another. Tied
    weights, biases, grouped heads and experts all have their gradients."""
    for found in ranks(world_size)(of_all_variants, tools, variants):
        for name, (loss, apart) in found.items():
            assert abs(loss) < CLOSE, name
            assert apart < CLOSE, name


def after_steps(group, tools, config, optimizer, parts):
    """Weights after five steps, alone and together.

    Each rank computes its rows in as many parts as the second number says,
    and one process all of them in as many as the first.
    """
    n_micro, parallel_micro = parts
    models = tools.build(config), tools.build(config)
    alone, together = models
    parallel = DataParallel(together, group, **SMALL_BUCKETS)
    optimizers = [optimizer(model) for model in models]
    for step in range(5):
        batch = tools.draw_rows(config, n_rows=8, seed=step, empty=3)
        tools.in_one_process(alone, batch, n_micro)
        rows = rank_rows(batch, group)
        sum_gradients(parallel, tools.objective, rows, n_micro=parallel_micro)
        for each in optimizers:
            each.step()
            each.zero_grad()
    return [
        {name: p.detach() for name, p in model.named_parameters()}
        for model in models
    ]


@pytest.mark.slow  # optimizers import PyTorch's compiler, in each rank
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_five_steps_of_two_ranks_are_bit_equal(ranks, tools, small, name):
    """A sum that differs between ranks in its last bit, so that their models
    drift apart. Two numbers have one sum, whoever comes first: two ranks with
    one part each add as one process with two parts does."""
    run = partial(ranks(2), after_steps, tools, small)
    results = run(OPTIMIZERS[name], (2, 1))
    for alone, together in results:
        for key, weight in alone.items():
            assert torch.equal(weight, together[key]), key


def test_five_steps_of_three_ranks_stay_close(ranks, tools, variants):
    """An error that grows from step to step. Three numbers are summed in
    another order than in one process, so the last bits differ."""
    config = variants["MLP and SwiGLU in turn"]
    found = ranks(3)(after_steps, tools, config, Descent, (1, 2))
    first = found[0][1]
    for alone, together in found:
        assert tools.farthest(together, alone) < 2e-6
        for key, weight in first.items():
            assert torch.equal(weight, together[key]), key


def beside_torch(group, tools, config):
    """Our gradients and those of torch's DDP, with equal counts."""
    ours, theirs = tools.build(config), tools.build(config)
    batch = tools.draw_rows(config, n_rows=4, empty=0)
    batch = batch._replace(targets=batch.tokens)
    rows = rank_rows(batch, group)
    parallel = DataParallel(ours, group, **SMALL_BUCKETS)
    sum_gradients(parallel, tools.objective, rows)
    wrapped = nn.parallel.DistributedDataParallel(theirs, process_group=group)
    loss = tools.objective(wrapped, rows)
    loss.mean().backward()  # it takes the mean over ranks
    return tools.farthest(tools.gradients(ours), tools.gradients(theirs))


@pytest.mark.slow  # the ranks import PyTorch's compiler
def test_gradients_are_those_of_torch_s_ddp(ranks, tools, variants):
    """Where every rank has as many tokens, the mean of means is the mean."""
    for name in ("tied", "multi-query"):
        for apart in ranks(2)(beside_torch, tools, variants[name]):
            assert apart < CLOSE, name


class Branches(nn.Module):
    """Two layers, of which a forward pass uses those that it is told."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))

    def forward(self, x, used):
        for index in used:
            x = self.layers[index](x)
        return x.square().sum()


def unlike_ranks(group, uses):
    """What each layer's gradient is where ranks use unlike layers."""
    model, alone = Branches(), Branches()
    x = torch.arange(3.0)
    parallel = DataParallel(model, group, most=1, first=1)
    parallel.backward(model(x, uses[group.rank()]))
    for used in uses:
        alone(x, used).backward()
    pairs = zip(model.parameters(), alone.parameters(), strict=True)
    return [(ours.grad, expected.grad) for ours, expected in pairs]


def test_a_parameter_that_one_rank_does_not_use_hangs_nobody(ranks):
    """The rank without the gradient never sends its bucket, and the others
    wait. And what no rank used has no gradient: a gradient of zeros would
    let AdamW shrink the weight and its means move on."""
    for found in ranks(2)(unlike_ranks, [[0, 1], [1, 0]]):
        for ours, expected in found[:4]:
            assert torch.allclose(ours, expected, rtol=1e-6)
        assert [ours for ours, _ in found[4:]] == [None, None]
    for found in ranks(2)(unlike_ranks, [[0], [2]]):
        assert [ours is None for ours, _ in found] == [0, 0, 1, 1, 0, 0]
        for ours, expected in found[:2] + found[4:]:
            assert torch.equal(ours, expected)


def count_sums(group, overlap):
    """How many sums were begun, before and after the backward passes."""
    model = Branches()
    begun, seen = [], []

    def start(x, group):
        begun.append(x.numel())
        return start_sum(x, group)

    parallel = DataParallel(
        model, group, most=1, first=1, overlap=overlap, start=start
    )
    for part in range(3):
        loss = model(torch.ones(3), [0, 1, 2])
        loss.register_hook(lambda grad: seen.append(len(begun)))
        model.layers[0].weight.register_hook(
            lambda grad: seen.append(len(begun))
        )
        parallel.backward(loss, last=part == 2)
    return begun, seen[-1]


def test_nothing_is_sent_before_the_last_micro_batch(ranks):
    """A sum for each micro-batch: the same result at several times the
    traffic. (With DDP the forward pass has to be in no_sync, too.)"""
    for begun, late in ranks(2)(count_sums, True):
        assert len(begun) == 6  # one for each parameter
        assert late >= 4  # when the first layer's gradient comes
    for begun, late in ranks(2)(count_sums, False):
        assert len(begun) == 6
        assert late == 0


def step_twice(group):
    parallel = DataParallel(model := Branches(), group)
    for _ in range(2):
        parallel.backward(model(torch.ones(3), [0]))


def go_back_alone(group):
    model = Branches()
    DataParallel(model, group)
    model(torch.ones(3), [0]).backward()


def train_nothing(group):
    DataParallel(Branches().requires_grad_(False), group)


def told(group, misuse):
    try:
        misuse(group)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("misuse", "remedy"),
    [
        (step_twice, "zero_grad"),
        (go_back_alone, "backward of DataParallel"),
        (train_nothing, "requires_grad"),
    ],
)
def test_misuse_is_told_before_it_does_harm(ranks, misuse, remedy):
    """Sums that are summed again are W times too large; a plain backward
    pass trains each rank on its own rows; neither shows in the loss."""
    for message in ranks(2)(told, misuse):
        assert remedy in message


def with_a_frozen_part(group):
    model = Branches()
    model.layers[1].requires_grad_(False)
    parallel = DataParallel(model, group)
    parallel.backward(model(torch.ones(3), [0, 1]))
    grads = [p.grad is None for p in model.parameters()]
    parallel.close()
    model.zero_grad()
    model(torch.ones(3), [0]).backward()  # its own again
    return grads


def test_a_frozen_parameter_stays_out_and_close_takes_hooks_off(ranks):
    """A frozen embedding in a bucket that never fills."""
    for grads in ranks(2)(with_a_frozen_part):
        assert grads == [0, 0, 1, 1, 1, 1]


def with_two_types(group):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2).bfloat16())
    torch.manual_seed(0)
    for p in model.parameters():
        nn.init.normal_(p)
    parallel = DataParallel(model, group)
    x = model[0](torch.ones(3) * (1 + group.rank())).bfloat16()
    parallel.backward(model[1](x).sum())
    return [p.grad for p in model.parameters()]


def test_types_do_not_share_a_bucket(ranks):
    """A bfloat16 gradient that was read as float32."""
    one, two = ranks(2)(with_two_types)
    assert [g.dtype for g in one] == [torch.float32] * 2 + [torch.bfloat16] * 2
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a, b)
    assert one[3].tolist() == [2.0, 2.0]


def wait_for_nobody(group):
    model = Branches()
    parallel = DataParallel(model, group)
    if group.rank() == 0:
        raise KeyError("the rows of rank 0 are gone")
    parallel.backward(model(torch.ones(3), [0]))
    dist.barrier(group)


def test_a_rank_that_fails_ends_the_others():
    """Ranks that wait for a dead one until somebody looks."""
    from scratchlm.scaling.collectives.local import run

    with pytest.raises(RankError, match="rows of rank 0 are gone"):
        run(wait_for_nobody, 2)
