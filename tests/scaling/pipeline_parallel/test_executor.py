"""Ranks that follow a schedule, each gradient against one process."""

import re
from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.scaling.small_models import SMALL as TWO_LAYERS
from tests.scaling.small_models import apart, build

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.norm import LayerNorm
from scratchlm.model.embeddings.embedding import LearnedPositions
from scratchlm.model.positions.rotary import NoRotation
from scratchlm.scaling.pipeline_parallel import (
    Durations,
    Pipeline,
    Timeline,
    gpipe,
    interleaved,
    one_forward_one_backward,
    simulate,
    split_model,
    zb_h1,
    zb_v,
)
from scratchlm.training.objective.loss import Loss, n_valid, next_token_loss
from scratchlm.training.optimizers.adam import AdamW
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

SMALL = replace(TWO_LAYERS, n_layers=5)
CONFIGS = {
    "grouped heads": SMALL,
    "biases": replace(
        SMALL,
        attention=partial(Attention, bias=True, out_bias=True),
        feedforward=(MLP, SwiGLU),
        norm=LayerNorm,
    ),
    "tied, with learned positions": replace(
        SMALL, tied=True, embedding=LearnedPositions, rotary=NoRotation
    ),
}
SCHEDULES = {
    "GPipe": partial(gpipe, 2, 6),
    "1F1B": partial(one_forward_one_backward, 2, 6),
    "interleaved": partial(interleaved, 2, 6),
    "ZB-H1": partial(zb_h1, 2, 6),
    "ZB-V": partial(zb_v, 2, 6),
}


def draw(seed=0):
    """Nine packed rows: micro-batches of one row and of two, with unequal
    numbers of valid tokens, and one with none."""
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(61, (2, 9, 10), generator=generator)
    documents = torch.zeros_like(tokens)
    documents[::2, 4:] = 1
    for row in range(9):
        targets[row, 10 - row :] = -100
    targets[3] = targets[4] = -100
    return TokenBatch(tokens=tokens, targets=targets, documents=documents)


def parts_of(batch):
    """Six micro-batches of nine rows, and how many tokens count."""
    parts = list(micro_batches(batch, 6))
    assert {len(part.tokens) for part in parts} == {1, 2}
    assert min(int(n_valid(part.targets)) for part in parts) == 0
    return parts, int(n_valid(batch.targets))


def accumulate(model, parts, count):
    """One process: the same micro-batches, one after the other."""
    losses = []
    for part in parts:
        x = model.hidden(part.tokens, documents=part.documents)
        loss = next_token_loss(x, model.head.weight, part.targets)
        loss.over(count).backward()
        losses.append(Loss(loss.total.detach(), loss.count))
    return sum(losses[1:], losses[0])


def in_one_process(config, parts, count):
    """The gradients by name, and the loss."""
    model = build(config)
    loss = accumulate(model, parts, count)
    pairs = model.named_parameters(remove_duplicate=False)
    return {name: weight.grad for name, weight in pairs}, loss


def make(group, config, schedule):
    model = build(config)
    stages = split_model(
        model, schedule.stages_of(group.rank()), schedule.n_stages
    )
    return Pipeline(stages, schedule, group)


def named(stages):
    return {
        name: weight
        for stage in stages.values()
        for name, weight in stage.named_parameters()
    }


def compare_gradients(group, configs, schedules):
    """By configuration and schedule, how far each gradient is off."""
    parts, count = parts_of(draw())
    found = {}
    for name, config in configs.items():
        expected, due = in_one_process(config, parts, count)
        for kind, schedule in schedules.items():
            pipeline = make(group, config, schedule())
            done = pipeline.step(parts, count)
            assert done.loss.count == due.count == count
            off = {
                weight: apart(mine.grad, expected[weight])
                for weight, mine in named(pipeline.stages).items()
            }
            off["loss"] = apart(done.loss.total, due.total)
            found[name, kind] = off
    return found


@pytest.fixture(scope="module")
def distances(ranks):
    return ranks(2)(compare_gradients, CONFIGS, SCHEDULES)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("config", CONFIGS)
def test_each_gradient_is_that_of_one_process(distances, config, kind):
    """A mean of means over micro-batches, a tied weight that has half of
    its gradient, a bias that is added once for each stage: the loss curve
    looks normal in all of these.

    Sums have the order of one process, so that the bits are equal, but for
    weights that are tied: one process adds head and embedding in turn, the
    ranks add each for itself first. There it is within 1e-6."""
    names = set()
    for rank in range(2):
        off = distances[rank][config, kind]
        names |= set(off)
        for name, distance in off.items():
            tied = name in ("embedding.tokens.weight", "head.weight")
            limit = 1e-6 if tied and "tied" in config else 0.0
            assert distance <= limit, (name, rank)
    whole = dict(build(CONFIGS[config]).named_parameters())
    assert names - {"loss", "head.weight"} == set(whole) - {"head.weight"}


def train(group, config, schedule, n_steps):
    """How far the weights are off after some steps of AdamW."""
    model, pipeline = build(config), make(group, config, schedule)
    mine = named(pipeline.stages)
    settings = {"lr": 1e-3, "weight_decay": 0.1, "eps": 1e-6}
    ours = AdamW(mine.values(), **settings)
    reference = AdamW(model.parameters(), **settings)
    losses = []
    for step in range(n_steps):
        parts, count = parts_of(draw(step))
        due = accumulate(model, parts, count)
        done = pipeline.step(parts, count)
        losses.append(apart(done.loss.mean(), due.mean()))
        for optimizer in (ours, reference):
            optimizer.step()
            optimizer.zero_grad()
    expected = dict(model.named_parameters(remove_duplicate=False))
    weights = {n: apart(w.data, expected[n].data) for n, w in mine.items()}
    shared = [s.shared_weight for s in pipeline.stages.values()]
    return losses, weights, [w for w in shared if w is not None]


@pytest.mark.slow  # making an optimizer imports the compiler of PyTorch
def test_five_steps_are_those_of_one_process(ranks):
    """Copies of a tied weight that drift apart, or a gradient that is kept
    from the step before: one step shows neither."""
    for config in ("biases", "tied, with learned positions"):
        for kind in ("1F1B", "ZB-H1"):
            told = ranks(2)(train, CONFIGS[config], SCHEDULES[kind](), 5)
            for losses, weights, _ in told:
                assert max(losses) < 1e-6
                limit = 1e-6 if "tied" in config else 0.0
                assert max(weights.values()) <= limit
            copies = [copy for _, _, shared in told for copy in shared]
            assert len(copies) == 2 * ("tied" in config)
            assert all(copy.equal(copies[0]) for copy in copies)


def take_two_steps(group):
    """Gradients of two steps without an optimizer between them."""
    config = CONFIGS["tied, with learned positions"]
    model, off = build(config), {}
    pipeline = make(group, config, zb_h1(2, 3))
    for seed in (1, 2):
        parts, count = (
            parts_of(draw(seed), 3)
            if False
            else (
                list(micro_batches(draw(seed), 3)),
                int(n_valid(draw(seed).targets)),
            )
        )
        accumulate(model, parts, count)
        pipeline.step(parts, count)
    expected = dict(model.named_parameters(remove_duplicate=False))
    for name, weight in named(pipeline.stages).items():
        off[name] = apart(weight.grad, expected[name].grad)
    return off


def test_a_second_step_adds_to_the_gradients(ranks):
    """A step that divides or clears what is there turns accumulation into a
    moving average; one that sums a tied weight's gradient anew adds the
    first step's twice."""
    for off in ranks(2)(take_two_steps):
        assert max(off.values()) < 1e-6


def several_pipelines(group):
    """The share of one of two pipelines, which know the count of both."""
    batch = draw()
    parts = list(micro_batches(batch, 3))
    count = int(n_valid(batch.targets)) + 50
    expected, _ = in_one_process(SMALL, parts, count)
    pipeline = make(group, SMALL, gpipe(2, 3))
    pipeline.step(parts, count)
    return all(
        weight.grad.equal(expected[name])
        for name, weight in named(pipeline.stages).items()
    )


def test_the_count_is_that_of_all_pipelines(ranks):
    """A mean of each pipeline's means, where they have unequal tokens."""
    assert ranks(2)(several_pipelines) == [True, True]


def look_at_work(group, schedules):
    parts, count = parts_of(draw())
    return {
        kind: make(group, SMALL, schedule()).step(parts, count)
        for kind, schedule in schedules.items()
    }


def test_what_is_done_is_what_the_schedule_says(ranks):
    """An executor that falls back to another order, so that its memory and
    its bubble are those of another schedule."""
    told = ranks(2)(look_at_work, SCHEDULES)
    bytes_of_all = 9 * 10 * 32 * 4
    for kind, make_schedule in SCHEDULES.items():
        schedule = make_schedule()
        for rank in range(2):
            done = told[rank][kind]
            order = tuple(event.action for event in done.events)
            assert order == schedule.orders[rank]
            assert done.in_flight == max(schedule.in_flight(rank))
        crossings = {"interleaved": 3, "ZB-V": 2}.get(kind, 1)
        sent = sum(told[rank][kind].sent_bytes for rank in range(2))
        assert sent == 2 * crossings * bytes_of_all


def walk(group, pace):
    batch = draw()
    schedule, parts = zb_h1(2, 3), list(micro_batches(batch, 3))
    stages = split_model(build(SMALL), [group.rank()], 2)
    pipeline = Pipeline(stages, schedule, group, pace=pace)
    return pipeline.step(parts, int(n_valid(batch.targets))).events


def test_a_pace_is_kept_and_nobody_runs_ahead(ranks):
    """A measured timeline that no schedule allows: clocks of two processes
    that cannot be compared, or a wait that is counted as work."""
    pace = Durations(forward=0.03, backward_input=0.02, backward_weight=0.01)
    events = [event for told in ranks(2)(walk, pace) for event in told]
    schedule, ended = zb_h1(2, 3), {e.action: e.end for e in events}
    assert len(ended) == 18
    for event in events:
        assert event.end - event.start >= pace(event.action)
        source = schedule.source(event.action)
        assert source is None or event.start >= ended[source]
    ideal = simulate(schedule, pace).seconds
    assert Timeline(events=tuple(events)).seconds >= ideal - 1e-6


def four_ranks(group):
    parts, count = parts_of(draw())
    config = replace(SMALL, n_layers=8, tied=True)
    (expected, _), found = in_one_process(config, parts, count), {}
    for make_schedule in (one_forward_one_backward, zb_h1, zb_v):
        pipeline = make(group, config, make_schedule(4, 6))
        pipeline.step(parts, count)
        found[make_schedule.__name__] = max(
            apart(weight.grad, expected[name])
            for name, weight in named(pipeline.stages).items()
        )
    return found


@pytest.mark.slow  # four processes start
def test_four_ranks_have_the_gradients_of_one_process(ranks):
    """A rank that is neither first nor last, which two ranks never have."""
    for found in ranks(4)(four_ranks):
        assert len(found) == 3
        assert max(found.values()) < 1e-6


def one_micro_batch_and_one_rank(group):
    """Fewer micro-batches than ranks."""
    parts, count = [draw()], int(n_valid(draw().targets))
    (expected, _), found = in_one_process(SMALL, parts, count), []
    for make_schedule in (gpipe, one_forward_one_backward, zb_h1, zb_v):
        pipeline = make(group, SMALL, make_schedule(2, 1))
        pipeline.step(parts, count)
        found += [
            weight.grad.equal(expected[name])
            for name, weight in named(pipeline.stages).items()
        ]
    return all(found)


def test_fewer_micro_batches_than_ranks(ranks):
    """torch's 1F1B refuses them; ours is as slow as GPipe, and right."""
    assert ranks(2)(one_micro_batch_and_one_rank) == [True, True]


def refuse(group, what):
    """What is said of a call that does not fit."""
    schedule, model = gpipe(2, 3), build(SMALL)
    parts = list(micro_batches(draw(), 3))
    count = int(n_valid(draw().targets))
    pipeline = make(group, SMALL, schedule)
    calls = {
        "group": lambda: Pipeline({}, gpipe(3, 3), group),
        "stages": lambda: Pipeline(split_model(model, [], 2), schedule, group),
        "parts": lambda: pipeline.step(parts[:2], count),
        "count": lambda: pipeline.step(parts, count - 1),
        "nothing": lambda: pipeline.step(parts, 0),
    }
    try:
        calls[what]()
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("group", "for 3 ranks, and the group has 2; make one for 2"),
        ("stages", r"given the stages \[\], and in GPipe it has \[\d\]"),
        ("parts", "2 micro-batches, and the schedule is for 3; cut"),
        ("count", "count is 40, and the micro-batches have 41 valid"),
        ("nothing", "at least 1"),
    ],
)
def test_what_does_not_fit_is_refused_before_anyone_waits(
    ranks, what, message
):
    """A batch that is cut otherwise than the schedule says: phantom rows,
    or ranks that wait for a micro-batch that nobody has."""
    for said in ranks(2)(refuse, what):
        assert re.search(message, said)
