"""What stages send to each other, from one rank to one other."""

from collections import deque
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor
from torch import distributed as dist

from scratchlm.scaling.pipeline_parallel.actions import Action, Schedule


class Messages:
    """The activations and gradients of a step that cross between stages.

    A rank sends what it has computed and goes on. What others send it takes
    in the order in which they send it, since a pair of ranks knows no other:
    that order is known from the schedule. What comes before its turn is laid
    aside. One message of each neighbour is under way while the rank works.

    Args:
        schedule: of all ranks.
        group: the ranks, in its order.
        empty: called with a micro-batch; room for what a stage sends of it.
    """

    def __init__(
        self,
        schedule: Schedule,
        group: dist.ProcessGroup,
        empty: Callable[[int], Tensor],
    ):
        self.schedule, self.group, self.rank = schedule, group, group.rank()
        self.sent_bytes = 0
        self._empty = empty
        self._arrived: dict[Action, Tensor] = {}
        self._sent: list[tuple[dist.Work, Tensor]] = []
        self._due = {
            peer: deque(self._from(order))
            for peer, order in enumerate(schedule.orders)
            if peer != self.rank
        }
        self._under_way: dict[int, tuple[Action, dist.Work, Tensor]] = {}
        for peer in self._due:
            self._ask(peer)

    def send(self, action: Action, result: Float[Tensor, "B T D"]) -> None:
        """Send the result of an action to the stage that waits for it.

        Args:
            action: of this rank, for which a stage waits.
            result: is not to be changed any more.
        """
        target = self.schedule.target(action)
        assert target is not None
        peer = self.schedule.rank_of[target]
        if peer == self.rank:
            self._arrived[action] = result
            return
        result = result.contiguous()
        work = dist.isend(result, group=self.group, group_dst=peer)
        assert work is not None
        # Gloo reads the tensor while it is under way, so it is kept.
        self._sent = [
            pair for pair in self._sent if not pair[0].is_completed()
        ]
        self._sent.append((work, result))
        self.sent_bytes += result.numel() * result.element_size()

    def receive(self, action: Action) -> Float[Tensor, "B T D"]:
        """Wait for the result of another stage's action.

        Args:
            action: of a neighbouring stage.
        """
        peer = self.schedule.rank_of[action.stage]
        while action not in self._arrived:
            arrived, work, result = self._under_way.pop(peer)
            work.wait()
            self._arrived[arrived] = result
            self._ask(peer)
        return self._arrived.pop(action)

    def finish(self) -> None:
        """Wait until all that was sent has been taken."""
        for work, _ in self._sent:
            work.wait()
        self._sent = []

    def _from(self, order: Sequence[Action]) -> list[Action]:
        """Return the actions of an order whose results come here."""
        targets = [(action, self.schedule.target(action)) for action in order]
        return [
            action
            for action, target in targets
            if target is not None
            and self.schedule.rank_of[target] == self.rank
        ]

    def _ask(self, peer: int) -> None:
        """Let the next message of a rank come."""
        if not self._due[peer]:
            return
        action = self._due[peer].popleft()
        room = self._empty(action.micro_batch)
        work = dist.irecv(room, group=self.group, group_src=peer)
        assert work is not None
        self._under_way[peer] = action, work, room
