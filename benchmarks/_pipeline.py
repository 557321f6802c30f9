"""Pipelines of two ranks: bubbles beside the formulas, steps beside torch."""

import argparse
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import torch
from _data_parallel import llama_of
from _output import Output
from torch import Tensor
from torch import distributed as dist
from torch.distributed import pipelining

from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.collectives.local import run
from scratchlm.scaling.pipeline_parallel import (
    Durations,
    Kind,
    Pipeline,
    PipelineStep,
    Schedule,
    Stage,
    Timeline,
    bubble,
    gpipe,
    interleaved,
    linear_head_loss,
    one_forward_one_backward,
    simulate,
    split_model,
    zb_h1,
    zb_h1_bubble,
    zb_v,
)
from scratchlm.training.objective.loss import n_valid
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

WORLD, N_MICRO = 2, 8
CLOSE = 1.15  # the measured bubble over the formula's, or the other way
TOLERANCE = 1e-5
VOCABULARY = 512
# D, L, N = K, d_ff. The head is small, so that stages take equally long, as
# the formulas have it.
SHAPES = {"0.2M": (64, 4, 2, 128), "25M": (448, 8, 7, 1664)}
SCHEDULES: dict[str, tuple[Callable[[int, int], Schedule], int, str]] = {
    "GPipe": (gpipe, 1, "ScheduleGPipe"),
    "1F1B": (one_forward_one_backward, 1, "Schedule1F1B"),
    "interleaved 1F1B": (interleaved, 2, "ScheduleInterleaved1F1B"),
    "ZB-H1": (zb_h1, 1, "ScheduleInterleavedZeroBubble"),
    "ZB-V": (zb_v, 2, "ScheduleZBVZeroBubble"),
}
FORMULAS: dict[str, Callable[[int, int], float]] = {
    "GPipe": bubble,
    "1F1B": bubble,
    "interleaved 1F1B": lambda p, m: bubble(p, m, n_virtual=2),
    "ZB-H1": zb_h1_bubble,
    "ZB-V": lambda p, m: zb_h1_bubble(p, m) / 2,
}


def draw(n_tokens: int) -> tuple[TokenBatch, int]:
    """A row for each micro-batch, and how many tokens count."""
    draws = torch.Generator().manual_seed(0)
    ids = torch.randint(VOCABULARY, (N_MICRO, n_tokens + 1), generator=draws)
    batch = TokenBatch(tokens=ids[:, :-1], targets=ids[:, 1:])
    return batch, int(n_valid(batch.targets))


def build(size: str, schedule: Schedule, rank: int) -> dict[int, Stage]:
    torch.manual_seed(0)
    here = schedule.stages_of(rank)
    return split_model(
        Transformer(llama_of(SHAPES[size], VOCABULARY)),
        here,
        schedule.n_stages,
    )


def gradients(stages: dict[int, Stage]) -> dict[str, Tensor]:
    """By name, and cleared for the next step."""
    found = {}
    for stage in stages.values():
        for name, weight in stage.named_parameters():
            assert weight.grad is not None
            found[name], weight.grad = weight.grad, None
    return found


class TheirStep:
    """torch's schedule over the same stages.

    Args:
        stages: of this rank.
        schedule: ours, for the number of stages.
        name: of theirs.
        group: the ranks.
        n_tokens: of a row.
    """

    def __init__(
        self,
        stages: dict[int, Stage],
        schedule: Schedule,
        name: str,
        group: Any,
        n_tokens: int,
    ):
        batch, count = draw(n_tokens)
        last = schedule.n_stages - 1
        device = torch.device("cpu")
        theirs: Any = [
            pipelining.PipelineStage(
                stage, at, schedule.n_stages, device, group=group
            )
            for at, stage in stages.items()
        ]

        def loss(x: Tensor, targets: Tensor) -> Tensor:
            return linear_head_loss(stages[last].head, x, targets).over(count)

        one = name in ("ScheduleGPipe", "Schedule1F1B")
        self.schedule = getattr(pipelining.schedules, name)(
            theirs[0] if one else theirs,
            N_MICRO,
            loss_fn=loss,
            scale_grads=False,
        )
        self.args = (batch.tokens,) if 0 in stages else ()
        self.target = batch.targets if last in stages else None

    def __call__(self) -> None:
        # What it would return are hidden states, which nobody wants here.
        self.schedule.step(
            *self.args, target=self.target, return_outputs=False
        )


def sides(
    group: Any, size: str, n_tokens: int
) -> tuple[dict[str, Callable[[], Any]], dict[str, dict[int, Stage]]]:
    """A step of each schedule and side, each with stages of its own."""
    batch, count = draw(n_tokens)
    parts = list(micro_batches(batch, N_MICRO))
    calls: dict[str, Callable[[], Any]] = {}
    stages: dict[str, dict[int, Stage]] = {}
    for name, (make, _, torch_name) in SCHEDULES.items():
        schedule = make(WORLD, N_MICRO)
        mine, other = (build(size, schedule, group.rank()) for _ in range(2))
        pipeline = Pipeline(mine, schedule, group)
        calls[f"{name}, ours"] = partial(pipeline.step, parts, count)
        calls[f"{name}, theirs"] = TheirStep(
            other, schedule, torch_name, group, n_tokens
        )
        stages |= {f"{name}, ours": mine, f"{name}, theirs": other}
    return calls, stages


def check(calls: dict[str, Any], stages: dict[str, dict[int, Stage]]) -> None:
    """Take the first steps, which are slow, and compare both sides."""
    for name in SCHEDULES:
        found = []
        for side in ("ours", "theirs"):
            calls[f"{name}, {side}"]()
            found.append(gradients(stages[f"{name}, {side}"]))
        for weight, ours in found[0].items():
            theirs = found[1][weight]
            if (ours - theirs).norm() > TOLERANCE * theirs.norm():
                raise ValueError(f"{name}, {weight}: the gradients differ")


def real_work(
    group: Any, size: str, n_tokens: int, rounds: int
) -> tuple[dict[str, list[PipelineStep]], dict[str, list[float]]]:
    """Steps of each schedule and side in turn: events, and seconds."""
    calls, stages = sides(group, size, n_tokens)
    check(calls, stages)
    steps: dict[str, list[PipelineStep]] = {name: [] for name in SCHEDULES}
    seconds: dict[str, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            dist.barrier(group)
            start = perf_counter()
            done = call()
            dist.barrier(group)
            seconds[key].append(perf_counter() - start)
            gradients(stages[key])
            if done is not None:
                steps[key.rpartition(",")[0]].append(done)
    return steps, seconds


def slow_motion(
    group: Any, n_tokens: int, unit: float, rounds: int
) -> dict[str, list[PipelineStep]]:
    """Steps of each schedule in which each action takes a stated time."""
    batch, count = draw(n_tokens)
    parts = list(micro_batches(batch, N_MICRO))
    pace = Durations(forward=unit, backward_input=unit, backward_weight=unit)
    steps: dict[str, list[PipelineStep]] = {}
    for name, (make, v, _) in SCHEDULES.items():
        schedule = make(WORLD, N_MICRO)
        stages = build("0.2M", schedule, group.rank())
        Pipeline(stages, schedule, group).step(parts, count)
        slow = Pipeline(stages, schedule, group, pace=pace.divided(v))
        steps[name] = [slow.step(parts, count) for _ in range(rounds)]
    return steps


def timelines(told: list[dict[str, list[PipelineStep]]]) -> Any:
    """Of each schedule the timeline of all ranks, for each round."""
    return {
        name: [
            Timeline(events=tuple(e for done in step for e in done.events))
            for step in zip(*(rank[name] for rank in told), strict=True)
        ]
        for name in SCHEDULES
    }


def predicted(name: str, lines: list[Timeline]) -> float:
    """The simulated bubble, if each action takes its least time."""
    seconds: dict[tuple[Kind, int], list[float]] = {}
    for line in lines:
        for event in line.events:
            key = event.action.kind, event.action.stage
            seconds.setdefault(key, []).append(event.end - event.start)
    typical = {key: min(each) for key, each in seconds.items()}
    schedule = SCHEDULES[name][0](WORLD, N_MICRO)
    return simulate(schedule, lambda a: typical[a.kind, a.stage]).bubble


def pipeline(output: Output, args: argparse.Namespace) -> None:
    """The bubble of each schedule, in slow motion and of a real model."""
    n_tokens = int(args.shape.partition("x")[2])
    rounds = args.pipeline_rounds
    told = run(slow_motion, WORLD, n_tokens, args.unit, rounds, timeout=3600.0)
    output.heading(
        "slow motion", "formula", "measured", "measured / formula", "in flight"
    )
    for name, lines in timelines(told).items():
        exact = FORMULAS[name](WORLD, N_MICRO)
        # Whatever else runs makes a rank late, and never early.
        found = min(line.bubble for line in lines)
        held = [rank[name][0].in_flight for rank in told]
        output.row(
            name, f"{exact:.4f}", f"{found:.4f}", f"{found / exact:.2f}", held
        )
        output.figure(
            f"bubble of {name} in slow motion",
            exact / found,
            against="the formula",
            target=1 / CLOSE,
        )
    real(output, args, n_tokens, rounds)


def real(
    output: Output, args: argparse.Namespace, n_tokens: int, rounds: int
) -> None:
    """A real model, without any waiting, beside torch's schedules."""
    results = run(
        real_work, WORLD, args.model, n_tokens, rounds, timeout=3600.0
    )
    lines = timelines([steps for steps, _ in results])
    least = {name: min(each) for name, each in results[0][1].items()}
    output.heading(
        *(f"{args.model}, {n_tokens} tokens", "formula", "from durations"),
        *("measured", "step", "over 1F1B's", "torch's over ours"),
    )
    for name in SCHEDULES:
        found = min(line.bubble for line in lines[name])
        ours, theirs = least[f"{name}, ours"], least[f"{name}, theirs"]
        to_plain, to_torch = ours / least["1F1B, ours"], theirs / ours
        output.row(
            name,
            f"{FORMULAS[name](WORLD, N_MICRO):.4f}",
            f"{predicted(name, lines[name]):.4f}",
            f"{found:.4f}",
            f"{ours * 1e3:.0f} ms",
            f"{to_plain:.3f}",
            f"{to_torch:.3f}",
        )
        output.figure(
            f"step of {name}, {args.model}",
            to_torch,
            against="torch.distributed.pipelining",
        )
        if name == "ZB-H1":
            output.figure(
                f"step of {name} after 1F1B, {args.model}",
                1 / to_plain,
                against="our 1F1B",
                target=1.0,
            )
