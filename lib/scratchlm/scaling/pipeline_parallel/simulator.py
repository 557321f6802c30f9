"""When each action of a schedule starts and ends, without running it."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from scratchlm.scaling.pipeline_parallel.actions import Action, Kind, Schedule

# Called with an action; returns its seconds.
Seconds = Callable[[Action], float | int]


@dataclass(frozen=True, kw_only=True)
class Durations:
    """How long a stage works on a micro-batch.

    Args:
        forward: seconds, or any other unit.
        backward_input: for the gradient of what the stage reads.
        backward_weight: for the gradients of its weights. A whole backward
            takes as long as both.

    Raises:
        ValueError: a duration is not above 0.
    """

    forward: float | int = 1.0
    backward_input: float | int = 1.0
    backward_weight: float | int = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(
                    f"{field.name} is {value}; work takes more than 0"
                )

    def __call__(self, action: Action) -> float | int:
        """Return how long an action takes."""
        return {
            Kind.FORWARD: self.forward,
            Kind.BACKWARD: self.backward_input + self.backward_weight,
            Kind.BACKWARD_INPUT: self.backward_input,
            Kind.BACKWARD_WEIGHT: self.backward_weight,
        }[action.kind]

    def divided(self, n: int) -> "Durations":
        """Return the durations of a stage with fewer layers.

        Args:
            n: into how many stages one is cut.
        """
        return Durations(
            **{f.name: getattr(self, f.name) / n for f in fields(self)}
        )


@dataclass(frozen=True, kw_only=True)
class Event:
    """An action that was done, or would be.

    Args:
        rank: who did it.
        action: what.
        start: when it began to compute, in seconds of one clock.
        end: when it had computed.
    """

    rank: int
    action: Action
    start: float | int
    end: float | int


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """What all ranks did in a step, and when.

    Args:
        events: in any order, at least one.
    """

    events: tuple[Event, ...]

    @property
    def start(self) -> float | int:
        """When the first began."""
        return min(event.start for event in self.events)

    @property
    def seconds(self) -> float | int:
        """From the first start of any rank to the last end of any."""
        return max(event.end for event in self.events) - self.start

    @property
    def busy(self) -> dict[int, float | int]:
        """For how long each rank computed."""
        spent: dict[int, float | int] = {
            event.rank: 0 for event in self.events
        }
        for event in self.events:
            spent[event.rank] += event.end - event.start
        return spent

    @property
    def bubble(self) -> float:
        """Idle time of all ranks, over the time that they computed."""
        total = sum(self.busy.values())
        return len(self.busy) * self.seconds / total - 1


def simulate(
    schedule: Schedule,
    seconds: Seconds = Durations(),
    *,
    transfer: float | int = 0.0,
) -> Timeline:
    """Return when each action runs, if each starts as early as it can.

    A rank does its actions in their order, and waits for what it needs. It
    goes on with its own work while what it sends is on its way.

    Args:
        schedule: what each rank does.
        seconds: called with an action.
        transfer: seconds from the end of an action until a neighbour on
            another rank has its result.

    Raises:
        ValueError: ranks wait for each other in a circle.
    """
    ended: dict[Action, float | int] = {}
    clocks: list[float | int] = [0] * schedule.world_size
    left = [[*reversed(order)] for order in schedule.orders]
    events: list[Event] = []
    while any(left):
        before = len(events)
        for rank, order in enumerate(left):
            while order:
                source = schedule.source(order[-1])
                if source is not None and source not in ended:
                    break
                action, start = order.pop(), clocks[rank]
                if source is not None:
                    away = schedule.rank_of[source.stage] != rank
                    start = max(start, ended[source] + transfer * away)
                clocks[rank] = ended[action] = start + seconds(action)
                events.append(
                    Event(
                        rank=rank,
                        action=action,
                        start=start,
                        end=ended[action],
                    )
                )
        if len(events) == before:
            raise ValueError(_circle(schedule, left))
    return Timeline(events=tuple(events))


def _circle(schedule: Schedule, left: list[list[Action]]) -> str:
    waits = [
        f"rank {rank} needs {schedule.source(order[-1])} for {order[-1]}"
        for rank, order in enumerate(left)
        if order
    ]
    return (
        f"{schedule.name} never ends: {'; '.join(waits)}. Let each rank do "
        f"first what another one waits for"
    )
