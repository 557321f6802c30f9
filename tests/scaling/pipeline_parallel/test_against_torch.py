"""torch.distributed.pipelining: the same orders, the same gradients."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.distributed import pipelining

from scratchlm.model.transformer.loss import (
    cross_entropy_sum,
    linear_cross_entropy_sum,
)
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.pipeline_parallel import (
    Pipeline,
    gpipe,
    interleaved,
    one_forward_one_backward,
    split_model,
    zb_h1,
    zb_v,
)
from scratchlm.training.objective.loss import Loss, n_valid
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

CONFIG = TransformerConfig(
    vocab_size=61,
    d_model=32,
    n_layers=4,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=48,
    max_tokens=64,
    init=lambda model, n_layers: None,
)
N_MICRO = 6
PAIRS = {
    "GPipe": (gpipe, "ScheduleGPipe"),
    "1F1B": (one_forward_one_backward, "Schedule1F1B"),
    "interleaved": (interleaved, "ScheduleInterleaved1F1B"),
    "ZB-H1": (zb_h1, "ScheduleInterleavedZeroBubble"),
    "ZB-V": (zb_v, "ScheduleZBVZeroBubble"),
}


class Logits(nn.Module):
    """The last stage with its head; other stages as they are."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def forward(self, x):
        x = self.stage(x)
        return x if self.stage.head is None else self.stage.head(x)


def draw():
    generator = torch.Generator().manual_seed(0)
    tokens, targets = torch.randint(61, (2, 12, 10), generator=generator)
    for row in range(12):
        targets[row, 10 - row % 5 :] = -100
    return TokenBatch(tokens=tokens, targets=targets)


def named(stages):
    return {
        name: weight.grad
        for stage in stages.values()
        for name, weight in stage.named_parameters()
    }


def stages_of(schedule, rank):
    torch.manual_seed(0)
    model, here = Transformer(CONFIG), schedule.stages_of(rank)
    return split_model(model, here, schedule.n_stages)


def head_loss(head, x, targets):
    return Loss(*linear_cross_entropy_sum(x, head.weight, targets))


def torch_s(group, schedule, name, **settings):
    """Their schedule over our stages, and a step of it."""
    batch, rank = draw(), group.rank()
    count, stages = n_valid(batch.targets), stages_of(schedule, rank)

    def loss(logits, targets):
        return cross_entropy_sum(logits, targets)[0] / count

    theirs = [
        pipelining.PipelineStage(
            Logits(stage),
            at,
            schedule.n_stages,
            torch.device("cpu"),
            group=group,
        )
        for at, stage in stages.items()
    ]
    one = name in ("ScheduleGPipe", "Schedule1F1B")
    made = getattr(pipelining, name)(
        theirs[0] if one else theirs, N_MICRO, loss_fn=loss, **settings
    )
    args = (batch.tokens,) if 0 in stages else ()
    last = schedule.n_stages - 1 in stages
    step = partial(made.step, *args, target=batch.targets if last else None)
    return made, step, stages


def compare(group):
    found = {}
    batch = draw()
    parts = list(micro_batches(batch, N_MICRO))
    count = int(n_valid(batch.targets))
    for kind, (make, name) in PAIRS.items():
        schedule = make(2, N_MICRO)
        made, step, theirs = torch_s(group, schedule, name, scale_grads=False)
        step()
        ours = stages_of(schedule, group.rank())
        Pipeline(ours, schedule, group, loss=head_loss).step(parts, count)
        due = named(theirs)
        off = {
            weight: float((grad - due[weight]).norm() / due[weight].norm())
            for weight, grad in named(ours).items()
        }
        order = getattr(made, "pipeline_order", None)
        if order is not None:
            order = [
                (
                    str(a.computation_type.value),
                    a.stage_index,
                    a.microbatch_index,
                )
                for a in order[group.rank()]
                if a is not None
            ]
        found[kind] = max(off.values()), order
    return found


@pytest.fixture(scope="module")
def compared(ranks):
    return ranks(2)(compare)


@pytest.mark.parametrize("kind", PAIRS)
def test_gradients_are_those_of_torch_s_schedule(compared, kind):
    """Two executors that share a misunderstanding with one process, such as
    rows that are cut otherwise."""
    for found in compared:
        assert found[kind][0] < 1e-6


@pytest.mark.parametrize("kind", ["interleaved", "ZB-H1", "ZB-V"])
def test_orders_are_those_of_torch_s_schedule(compared, kind):
    """An order of our own under a name of the field. torch writes down
    orders for schedules with several stages; it runs the other two in
    loops."""
    schedule = PAIRS[kind][0](2, N_MICRO)
    for rank, found in enumerate(compared):
        ours = [
            (str(a.kind), a.stage, a.micro_batch)
            for a in schedule.orders[rank]
        ]
        assert found[kind][1] == ours


def accumulate_twice(group):
    """How far gradients of two equal steps are from g + g / m, by name."""
    _, step, stages = torch_s(group, gpipe(2, N_MICRO), "ScheduleGPipe")
    step()
    once = {name: grad.clone() for name, grad in named(stages).items()}
    step()
    twice = named(stages)
    return [
        float((twice[name] - grad * (1 + 1 / N_MICRO)).norm() / grad.norm())
        for name, grad in once.items()
    ]


def test_torch_s_scaling_makes_accumulation_a_moving_average(ranks):
    """Fails when torch's behaviour changes, of which the chapter warns:
    scale_grads, on by default, divides the sum of earlier steps again."""
    for off in ranks(2)(accumulate_twice):
        assert max(off) < 1e-5
