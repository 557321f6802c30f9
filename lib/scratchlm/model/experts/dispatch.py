"""Which row of a batch goes to which expert, and in which order.

A dispatch turns a routing into a plan. The plan lists rows to compute,
expert by expert, so that each expert works on one contiguous piece.
"""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.model.experts.routing import Routing


class Plan(NamedTuple):
    """The m rows that the experts compute.

    Args:
        token: which token each row is a copy of.
        weight: what its result is multiplied by.
        ends: for each expert, the number of rows up to its last.
        dropped: how many of the choices no row was made for.
    """

    token: Int[Tensor, " m"]
    weight: Float[Tensor, " m"]
    ends: Int[Tensor, " E"]
    dropped: Int[Tensor, ""]


def dropless(routing: Routing) -> Plan:
    """Plan a row for every choice.

    Source: Gale et al. 2022, "MegaBlocks".
    """
    # Stable, so that an expert meets tokens in their order.
    order = routing.chosen.flatten().argsort(stable=True)
    return Plan(
        token=order // routing.chosen.shape[-1],
        weight=routing.weights.flatten()[order],
        ends=routing.load.cumsum(0, dtype=torch.int32),
        dropped=order.new_zeros(()),
    )


@dataclass(frozen=True)
class Capacity:
    """Plan equally many rows for each expert; drop what finds no place.

    An expert has ``ceil(factor * n * k / E)`` places. The n tokens fill
    them in their order, so that no token can take the place of one before
    it. Places that stay empty are computed with weight zero.

    Args:
        factor: places for each choice; 1 is enough if all loads are equal.
        by_choice: whether the first choices of all tokens come before the
            second choices of any, as in GShard. Then a later token can
            take an earlier one's place.

    Raises:
        ValueError: the factor is not above 0.

    Source: Fedus, Zoph and Shazeer 2021, "Switch Transformers", eq. 3;
    Lepikhin et al. 2020, "GShard", algorithm 1.
    """

    factor: float = 1.25
    by_choice: bool = False

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ValueError(
                f"a capacity factor of {self.factor} leaves no places; "
                "1.0 is just enough when all experts are chosen equally often"
            )

    def __call__(self, routing: Routing) -> Plan:
        """Return the plan, with the number of choices that it drops."""
        chosen, weights = routing.chosen, routing.weights
        n_tokens, top_k = chosen.shape
        n_experts = len(routing.load)
        places = ceil(self.factor * n_tokens * top_k / n_experts)
        token = torch.arange(n_tokens, device=chosen.device)
        token = token[:, None].expand_as(chosen)
        if self.by_choice:
            chosen, weights, token = chosen.T, weights.T, token.T
        # `expand` and `.T` only relabel axes: the flat order is the queue.
        chosen, weights, token = (
            each.flatten() for each in (chosen, weights, token)
        )
        order = chosen.argsort(stable=True)
        chosen, weights, token = chosen[order], weights[order], token[order]
        first = routing.load.cumsum(0) - routing.load
        rank = torch.arange(len(order), device=order.device) - first[chosen]
        # All that is dropped meets in one place behind the last.
        size = n_experts * places
        place = torch.where(rank < places, chosen * places + rank, size)
        ends = torch.arange(1, n_experts + 1, device=order.device) * places
        return Plan(
            token=token.new_zeros(size + 1).scatter(0, place, token)[:-1],
            weight=weights.new_zeros(size + 1).scatter(0, place, weights)[:-1],
            ends=ends.int(),
            dropped=(rank >= places).sum(),
        )
