"""A schedule as data: what each rank does, in its order."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple


class Kind(StrEnum):
    """What a stage does with a micro-batch."""

    FORWARD = "F"
    BACKWARD = "B"
    BACKWARD_INPUT = "I"
    BACKWARD_WEIGHT = "W"


class Action(NamedTuple):
    """One piece of work of one stage.

    Args:
        kind: of the work.
        stage: counted from 0, in the order in which a text passes them.
        micro_batch: counted from 0.
    """

    kind: Kind
    stage: int
    micro_batch: int

    def __str__(self) -> str:
        return f"{self.kind}{self.micro_batch} of stage {self.stage}"

    @property
    def sends(self) -> bool:
        """Whether a neighbouring stage waits for its result."""
        return self.kind is not Kind.BACKWARD_WEIGHT

    @property
    def releases(self) -> bool:
        """Whether nothing of the micro-batch is needed here afterwards."""
        return self.kind in (Kind.BACKWARD, Kind.BACKWARD_WEIGHT)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What each rank does, in its order.

    Args:
        name: of the schedule.
        n_micro: micro-batches of a step.
        orders: of each rank its actions, one after the other.

    Raises:
        ValueError: a stage has two ranks, stages are missing, or an action
            is there twice, not at all, or before one of the same stage that
            it needs.
    """

    name: str
    n_micro: int
    orders: tuple[tuple[Action, ...], ...]

    def __post_init__(self) -> None:
        stages = sorted(self.rank_of)
        if stages != [*range(len(stages))]:
            raise ValueError(
                f"the stages are {stages}; give each from 0 to the last"
            )
        found = Counter(action for order in self.orders for action in order)
        wanted = set(self._wanted())
        for action in [*wanted, *found]:
            if found[action] != (action in wanted):
                raise ValueError(
                    f"{action} is there {found[action]} times; each "
                    f"micro-batch goes forward and backward once on each "
                    f"stage"
                )
        for order in self.orders:
            _check_order(order)

    def _wanted(self) -> Iterator[Action]:
        split = Kind.BACKWARD_INPUT, Kind.BACKWARD_WEIGHT
        kinds = Kind.FORWARD, *(split if self.splits else (Kind.BACKWARD,))
        for stage in self.rank_of:
            for micro_batch in range(self.n_micro):
                yield from (Action(k, stage, micro_batch) for k in kinds)

    @cached_property
    def rank_of(self) -> dict[int, int]:
        """Which rank has each stage."""
        ranks: dict[int, int] = {}
        for rank, order in enumerate(self.orders):
            for action in order:
                if ranks.setdefault(action.stage, rank) != rank:
                    raise ValueError(
                        f"stage {action.stage} is on rank {rank} and on "
                        f"rank {ranks[action.stage]}; give it one"
                    )
        return ranks

    @property
    def world_size(self) -> int:
        """Number of ranks."""
        return len(self.orders)

    @property
    def n_stages(self) -> int:
        """Number of stages of all ranks."""
        return len(self.rank_of)

    @cached_property
    def splits(self) -> bool:
        """Whether gradients of weights are actions of their own."""
        return any(
            action.kind is Kind.BACKWARD_WEIGHT
            for order in self.orders
            for action in order
        )

    def stages_of(self, rank: int) -> list[int]:
        """Return the stages of a rank, the first to pass at first.

        Args:
            rank: counted from 0.
        """
        return sorted(s for s, at in self.rank_of.items() if at == rank)

    def source(self, action: Action) -> Action | None:
        """Return the action of a neighbouring stage that it waits for.

        Args:
            action: of any rank.

        Returns:
            None where it reads tokens or its own loss, or what its own
            stage has computed.
        """
        kind, stage, micro_batch = action
        if kind is Kind.FORWARD and stage > 0:
            return Action(kind, stage - 1, micro_batch)
        if kind in (Kind.BACKWARD, Kind.BACKWARD_INPUT):
            after = stage + 1
            return (
                Action(kind, after, micro_batch)
                if (after < self.n_stages)
                else None
            )
        return None

    def target(self, action: Action) -> int | None:
        """Return the stage that waits for the result, or None.

        Args:
            action: of any rank.
        """
        if not action.sends:
            return None
        step = 1 if action.kind is Kind.FORWARD else -1
        stage = action.stage + step
        return stage if 0 <= stage < self.n_stages else None

    def in_flight(self, rank: int) -> list[int]:
        """Return how many micro-batches the stages of a rank hold.

        One is held from its forward until nothing of it is needed. A
        micro-batch in two stages of the rank counts twice.

        Args:
            rank: counted from 0.

        Returns:
            The number after each action.
        """
        held, after = 0, []
        for action in self.orders[rank]:
            held += action.kind is Kind.FORWARD
            held -= action.releases
            after.append(held)
        return after


def _check_order(order: tuple[Action, ...]) -> None:
    """Refuse work on what the same stage has not computed yet."""
    done: set[Action] = set()
    for action in order:
        before = {
            Kind.BACKWARD: Kind.FORWARD,
            Kind.BACKWARD_INPUT: Kind.FORWARD,
            Kind.BACKWARD_WEIGHT: Kind.BACKWARD_INPUT,
        }.get(action.kind)
        if before and action._replace(kind=before) not in done:
            raise ValueError(
                f"{action} comes before its {before}; a stage goes forward "
                f"before it goes backward"
            )
        done.add(action)
