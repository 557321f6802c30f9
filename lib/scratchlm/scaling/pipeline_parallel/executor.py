"""A schedule, done by ranks."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.scaling.pipeline_parallel.actions import Action, Kind, Schedule
from scratchlm.scaling.pipeline_parallel.messages import Messages
from scratchlm.scaling.pipeline_parallel.shared_weights import (
    add_shared_gradients,
)
from scratchlm.scaling.pipeline_parallel.simulator import (
    Event,
    Seconds,
)
from scratchlm.scaling.pipeline_parallel.stages import Stage
from scratchlm.scaling.pipeline_parallel.weight_gradients import (
    WeightGradients,
)
from scratchlm.training.objective.loss import Loss, n_valid, next_token_loss

# Called with the head, what it reads, and targets.
HeadLoss = Callable[[Any, Tensor, Tensor], Loss]
# Called with what a stage returned and its gradient, None of a loss.
Backward = Callable[[Tensor, Tensor | None], None]


@runtime_checkable
class MicroBatch(Protocol):
    """What stages read of a micro-batch, as ``TokenBatch`` has it."""

    @property
    def tokens(self) -> Tensor:
        """What the first stage reads, of shape (B, T)."""

    @property
    def targets(self) -> Tensor:
        """The token after each; -100 where none counts."""

    @property
    def documents(self) -> Any:
        """As the model takes them, or None."""

    @property
    def positions(self) -> Tensor | None:
        """Of each token in its document, or None."""


def run_backward(out: Tensor, gradient: Tensor | None) -> None:
    """Go back from what a stage returned.

    Args:
        out: the stream, or the last stage's share of the loss.
        gradient: of the first; None of the second.
    """
    out.backward(gradient)  # type: ignore[no-untyped-call]  # torch's


def linear_head_loss(head: nn.Module, x: Tensor, targets: Tensor) -> Loss:
    """Return the nats of the tokens that came next.

    Args:
        head: of a model, linear.
        x: what it reads.
        targets: the tokens that came next; -100 where none counts.
    """
    weight: Any = head.weight
    return next_token_loss(x, weight, targets)


@dataclass(frozen=True, kw_only=True)
class PipelineStep:
    """What a rank did in a step.

    Args:
        loss: of all micro-batches, the same on every rank.
        events: of this rank, when it computed what.
        in_flight: the most micro-batches that its stages held at a time.
        sent_bytes: to other ranks.
    """

    loss: Loss
    events: tuple[Event, ...]
    in_flight: int
    sent_bytes: int


@dataclass(kw_only=True)
class _Held:
    """What a stage keeps of a micro-batch between forward and backward."""

    x: Tensor
    out: Tensor
    later: WeightGradients | None


@dataclass(kw_only=True)
class _Work:
    """The state of one step on one rank."""

    parts: Sequence[MicroBatch]
    count: int
    messages: Messages
    nats: Tensor
    held: dict[tuple[int, int], _Held] = field(default_factory=dict)


class Pipeline:
    """The stages of a rank, and the schedule by which all ranks work.

    A step adds gradients to what the parameters have already, as a backward
    does; it clears none and scales none. All ranks read the same batch: the
    first stage needs its tokens, the last its targets, and all of them its
    documents.

    Args:
        stages: of this rank, as the schedule has them.
        schedule: of all ranks.
        group: the ranks, in the order of the schedule's.
        loss: called with the head, what it reads, and targets.
        backward: called with what a stage returned and its gradient, by whom
            sums over other ranks too.
        n_crossing: called with T; of how many positions this rank sends the
            stream to the next stage. All if None.
        pace: called with an action; the seconds that it takes at least. Who
            gives one watches a schedule in slow motion, on fewer cores than
            ranks too.

    Raises:
        ValueError: the group or the stages are not those of the schedule.
    """

    def __init__(  # noqa: PLR0913
        self,
        stages: Mapping[int, Stage],
        schedule: Schedule,
        group: dist.ProcessGroup,
        *,
        loss: HeadLoss = linear_head_loss,
        backward: Backward = run_backward,
        n_crossing: Callable[[int], int] | None = None,
        pace: Seconds | None = None,
    ):
        if schedule.world_size != group.size():
            raise ValueError(
                f"the schedule is for {schedule.world_size} ranks, and the "
                f"group has {group.size()}; make one for {group.size()}"
            )
        wanted = schedule.stages_of(group.rank())
        if sorted(stages) != wanted:
            raise ValueError(
                f"rank {group.rank()} was given the stages {sorted(stages)}, "
                f"and in {schedule.name} it has {wanted}; give these"
            )
        self.stages, self.schedule = dict(stages), schedule
        self.group, self.rank, self._loss = group, group.rank(), loss
        self._pace, self._run_backward = pace, backward
        self._n_crossing = n_crossing or int
        self._last_rank = schedule.rank_of[schedule.n_stages - 1]

    def step(self, parts: Sequence[MicroBatch], count: int) -> PipelineStep:
        """Add the gradient of the mean loss over all micro-batches.

        Every rank calls it with the same arguments.

        Args:
            parts: the micro-batches. They may have unequal rows and unequal
                numbers of valid tokens, and some none.
            count: valid tokens of the whole step. More than those of the
                parts where other pipelines work on other parts.

        Raises:
            ValueError: there are not as many parts as the schedule has, or
                ``count`` is below 1 or below their valid tokens.
        """
        work = self._begin(parts, count)
        before = self._set_shared_gradients_aside()
        events, most = [], 0
        for action in self.schedule.orders[self.rank]:
            events.append(self._do(action, work))
            most = max(most, len(work.held))
        work.messages.finish()
        self._add_shared_gradients(before)
        return PipelineStep(
            loss=self._told_to_all(work),
            events=tuple(events),
            in_flight=most,
            sent_bytes=work.messages.sent_bytes,
        )

    def _begin(self, parts: Sequence[MicroBatch], count: int) -> _Work:
        # On every rank alike: one that raises alone lets the others wait.
        if len(parts) != self.schedule.n_micro:
            raise ValueError(
                f"{len(parts)} micro-batches, and the schedule is for "
                f"{self.schedule.n_micro}; cut the batch into as many, or "
                f"make a schedule for {len(parts)}"
            )
        own = sum(int(n_valid(part.targets)) for part in parts)
        if count < max(1, own):
            raise ValueError(
                f"count is {count}, and the micro-batches have {own} valid "
                f"tokens; give the number of the whole step, at least 1"
            )
        some = next(iter(self.stages.values()))
        parameter = next(some.parameters())

        def empty(micro_batch: int) -> Tensor:
            n_rows, n_tokens = parts[micro_batch].tokens.shape
            shape = n_rows, self._n_crossing(n_tokens), some.d_model
            return torch.empty(
                shape, dtype=parameter.dtype, device=parameter.device
            )

        messages = Messages(self.schedule, self.group, empty)
        # Of one type on all ranks, also on those that compute no loss.
        wide = torch.promote_types(parameter.dtype, torch.float32)
        return _Work(
            parts=parts,
            count=count,
            messages=messages,
            nats=torch.zeros((), dtype=wide, device=parameter.device),
        )

    def _do(self, action: Action, work: _Work) -> Event:
        """Wait for what an action needs, do it, and send its result."""
        source = self.schedule.source(action)
        came = None if source is None else work.messages.receive(source)
        start = monotonic()
        result = {
            Kind.FORWARD: self._forward,
            Kind.BACKWARD: self._backward,
            Kind.BACKWARD_INPUT: self._backward,
            Kind.BACKWARD_WEIGHT: self._backward_weight,
        }[action.kind](action, came, work)
        if self._pace is not None:
            until = start + self._pace(action)
            sleep(max(0.0, until - monotonic()))
        end = monotonic()
        if result is not None and self.schedule.target(action) is not None:
            work.messages.send(action, result)
        return Event(rank=self.rank, action=action, start=start, end=end)

    def _forward(
        self, action: Action, came: Tensor | None, work: _Work
    ) -> Tensor:
        _, at, micro_batch = action
        stage, part = self.stages[at], work.parts[micro_batch]
        x = part.tokens if came is None else came.requires_grad_()
        later = WeightGradients() if self.schedule.splits else None
        with later or nullcontext():
            out = stage(x, documents=part.documents, positions=part.positions)
            if stage.head is not None:
                loss = self._loss(stage.head, out, part.targets)
                work.nats = work.nats + loss.total.detach()
                out = loss.over(work.count)
        work.held[at, micro_batch] = _Held(x=x, out=out, later=later)
        return out.detach()

    def _backward(
        self, action: Action, came: Tensor | None, work: _Work
    ) -> Tensor | None:
        key = action.stage, action.micro_batch
        held = work.held[key]
        self._run_backward(held.out, came)
        gradient = held.x.grad
        if action.kind is Kind.BACKWARD:
            del work.held[key]
        else:  # what the weights need is held by the work that waits
            held.x = held.out = torch.empty(0)
        return gradient

    def _backward_weight(
        self, action: Action, came: Tensor | None, work: _Work
    ) -> None:
        held = work.held.pop((action.stage, action.micro_batch))
        assert held.later is not None
        held.later.compute()

    def _shared(self) -> tuple[nn.Parameter, int] | None:
        """Return a weight that another rank has too, and which."""
        first = self.schedule.rank_of[0]
        if first == self._last_rank:  # one process, one weight
            return None
        for stage in self.stages.values():
            weight = stage.shared_weight
            if weight is not None:
                return weight, first + self._last_rank - self.rank
        return None

    def _set_shared_gradients_aside(self) -> Tensor | None:
        """Take what earlier steps have summed, which is whole already."""
        shared = self._shared()
        if shared is None:
            return None
        before, shared[0].grad = shared[0].grad, None
        return before

    def _add_shared_gradients(self, before: Tensor | None) -> None:
        shared = self._shared()
        if shared is None:
            return
        weight, other = shared
        assert weight.grad is not None
        total = add_shared_gradients(weight.grad, self.group, other)
        # In place, since whoever sums over other ranks knows this memory.
        weight.grad.copy_(total if before is None else before + total)

    def _told_to_all(self, work: _Work) -> Loss:
        """Send the loss from the last stage to every rank."""
        nats = work.nats.detach().clone()
        dist.broadcast(nats, group=self.group, group_src=self._last_rank)
        return Loss(
            nats,
            sum((n_valid(p.targets) for p in work.parts), torch.tensor(0)),
        )
