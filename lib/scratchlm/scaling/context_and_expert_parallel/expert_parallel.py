"""Experts on several ranks, and tokens that travel to them and back."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.scaling.collectives.conjugate import all_to_all
from scratchlm.scaling.data_parallel.agreement import (
    fingerprint,
    require_same,
)
from scratchlm.scaling.data_parallel.data_parallel import DataParallel
from scratchlm.scaling.tensor_parallel.shards import Shards

EXPERTS = ("gate", "up", "down")


class ExpertParallel:
    """Give each rank some experts of each mixture, and all of the rest.

    Each rank reads its own rows. In a mixture its tokens travel to the ranks
    that have their experts. An expert's gradient is whole where the expert
    is; that of any other parameter is summed over ranks. The model is
    changed in place and not told::

        experts = ExpertParallel(model, group)
        loss = objective(model, rows_of_this_rank)
        count = sum_over_ranks(loss.count, group)
        experts.backward(loss.over(count))

    A rank without rows runs the model on none of them, since others need its
    experts.

    Args:
        model: the same on all ranks.
        group: W ranks.

    Raises:
        ValueError: the ranks' models differ, there is no mixture, or W does
            not divide its number of experts.

    Attributes:
        shards: joins the experts of all ranks, and clips their gradients.

    Source: Lepikhin et al. 2020, "GShard", section 3.2.
    """

    def __init__(self, model: nn.Module, group: dist.ProcessGroup):
        self.model, self.group = model, group
        require_same(fingerprint(model), group)
        self.shards = spread_experts(model, group)
        rest = [p for p in model.parameters() if p not in self.shards]
        self._rest = DataParallel(nn.ParameterList(rest), group)

    def backward(self, loss: Float[Tensor, ""], *, last: bool = True) -> None:
        """Add the gradients of a loss; sum what all ranks hold, at the last.

        Args:
            loss: this part's share of the loss of all ranks. A rank without
                tokens gives one all the same: its experts have seen others'.
            last: whether the step's gradients are complete with this one.

        Raises:
            ValueError: gradients of the last step are still there.
        """
        self._rest.backward(loss, last=last)


def spread_experts(model: nn.Module, group: dist.ProcessGroup) -> Shards:
    """Leave some experts of each mixture to each rank, in place.

    Args:
        model: the same on all ranks.
        group: W ranks.

    Returns:
        The experts' parts.

    Raises:
        ValueError: there is no mixture, or W does not divide its number of
            experts.
    """
    mixtures = _mixtures(model, group.size())
    shards = Shards(model, group)
    for mixture in mixtures:
        for name in EXPERTS:
            part = shards.cut(getattr(mixture, name), 0)
            setattr(mixture, name, part)
        visit = Visit(mixture, group)
        mixture.visit = visit  # type: ignore[method-assign]
    shards.forget_whole()
    return shards


class Visit:
    """What a mixture's experts make of rows, wherever these experts are.

    It takes the place of ``MixtureOfExperts.visit``.

    Args:
        mixture: holds this rank's experts, in the order of ranks.
        group: W ranks.

    Attributes:
        sent: rows that this rank has sent to others, to be answered.
        computed: rows that this rank's experts have answered.
    """

    def __init__(self, mixture: MixtureOfExperts, group: dist.ProcessGroup):
        self.group, self._answer = group, mixture.visit
        self.sent = self.computed = 0

    def __call__(
        self, rows: Float[Tensor, "m D"], ends: Int[Tensor, " E"]
    ) -> Float[Tensor, "m D"]:
        """Return the answers of all experts to this rank's rows.

        Args:
            rows: sorted by expert.
            ends: where each expert's rows end.
        """
        size = self.group.size()
        # W by E / W: how many of our rows each expert gets, and how many of
        # each rank's rows our experts get.
        ours = torch.diff(ends, prepend=ends.new_zeros(1)).view(size, -1)
        theirs = all_to_all(ours, self.group)
        sent, received = ours.sum(1).tolist(), theirs.sum(1).tolist()
        here = all_to_all(rows, self.group, sent, received)
        # They lie rank by rank; an expert wants its own in one piece.
        order = _experts_of(theirs).argsort(stable=True)
        ends_here = theirs.sum(0).cumsum(0, dtype=torch.int32)
        answers = self._answer(here.index_select(0, order), ends_here)
        answers = answers.index_select(0, order.argsort())
        own = self.group.rank()
        self.sent += sum(sent) - sent[own]
        self.computed += sum(received)
        return all_to_all(answers, self.group, received, sent)


def _experts_of(counts: Int[Tensor, "W e"]) -> Int[Tensor, " m"]:
    """Return the expert of each row, of rows that lie rank by rank."""
    expert = torch.arange(counts.shape[1], device=counts.device)
    return expert.repeat(len(counts)).repeat_interleave(counts.flatten())


def _mixtures(model: nn.Module, size: int) -> list[MixtureOfExperts]:
    found: list[Any] = []
    for name, module in model.named_modules():
        if not isinstance(module, MixtureOfExperts):
            continue
        if module.n_experts % size:
            raise ValueError(
                f"{name} has {module.n_experts} experts, which {size} ranks "
                f"do not share; use a number of ranks that divides it"
            )
        found.append(module)
    if not found:
        raise ValueError(
            "the model has no MixtureOfExperts; pass one as its feedforward "
            "part, or use data parallelism"
        )
    return found
