"""Many feed-forward layers, of which each token visits a few."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.block.feedforward import Activation
from scratchlm.model.experts.dispatch import Plan, dropless
from scratchlm.model.experts.routing import Routing, SoftmaxRouter

GroupedMatmul = Callable[[Tensor, Tensor, Tensor], Tensor]


def grouped_matmul(
    x: Float[Tensor, "m A"],
    weights: Float[Tensor, "E C A"],
    ends: Int[Tensor, " E"],
) -> Float[Tensor, "m C"]:
    """Multiply each piece of ``x`` by the transpose of its own matrix.

    Args:
        x: rows, piece after piece.
        weights: one matrix for each piece.
        ends: where each piece ends; the last one is m.
    """
    pieces = [
        x[start:stop] @ weight.mT
        # Not `weights[e]`: its backward fills E matrices for each expert.
        for (start, stop), weight in zip(
            pairwise([0, *ends.tolist()]), weights.unbind(), strict=True
        )
    ]
    return torch.cat(pieces)


class Statistics(NamedTuple):
    """What a layer did with its last batch.

    Args:
        load: how many choices fell on each expert.
        probability: the mean of what the router gave each; has a gradient.
        z: the mean of ``logsumexp(logits) ** 2``; has a gradient.
        dropped: how many choices found no place.
    """

    load: Int[Tensor, " E"]
    probability: Float[Tensor, " E"]
    z: Float[Tensor, ""]
    dropped: Int[Tensor, ""]

    @classmethod
    def of(cls, routing: Routing, plan: Plan) -> "Statistics":
        """Sum up one forward pass."""
        z = routing.logits.logsumexp(-1).square().mean()
        return cls(routing.load, routing.probs.mean(0), z, plan.dropped)


class MixtureOfExperts(nn.Module):
    """A feed-forward layer that is E gated layers, k of them for a token.

    ::

        x ─┬─ router ─ dispatch ─┐ which rows, which weights
           ├─ copy and sort ─────┴─ experts ─ weigh and add ─┬─ y
           └─ (shared) ──────────────────────────────────────┘

    After a forward pass in training mode ``statistics`` holds what the
    functions of :mod:`scratchlm.model.experts.balancing` need; after one in
    evaluation mode it is None.

    Args:
        d_model: width D of the residual stream.
        d_ff: width F inside an expert.
        n_experts: number of experts E.
        top_k: how many of them a token visits.
        d_expert: takes the place of ``d_ff`` if given, in a model whose
            dense layers are wider.
        router: called with D, E and k; returns a
            :class:`~scratchlm.model.experts.routing.Routing` for rows.
        dispatch: turns it into a
            :class:`~scratchlm.model.experts.dispatch.Plan`.
        shared: called with D, makes a layer that every token visits; none
            if None.
        activation: what the experts' gates pass through.
        matmul: multiplies rows that are sorted by expert.

    Raises:
        ValueError: the router's, if k is out of range.

    Source: Shazeer et al. 2017, "Outrageously Large Neural Networks";
    Jiang et al. 2024, "Mixtral of Experts", sec. 2.1; Dai et al. 2024,
    "DeepSeekMoE", sec. 3.2 (shared experts).
    """

    statistics: Statistics | None

    def __init__(  # noqa: PLR0913
        self,
        d_model: int,
        d_ff: int,
        *,
        n_experts: int,
        top_k: int,
        d_expert: int | None = None,
        router: Callable[[int, int, int], nn.Module] = SoftmaxRouter,
        dispatch: Callable[[Routing], Plan] = dropless,
        shared: Callable[[int], nn.Module] | None = None,
        activation: Activation = F.silu,
        matmul: GroupedMatmul = grouped_matmul,
    ):
        super().__init__()
        d_ff = d_expert or d_ff
        self.n_experts, self.top_k = n_experts, top_k
        self.router = router(d_model, n_experts, top_k)
        self.gate = _matrices(n_experts, d_ff, d_model)
        self.up = _matrices(n_experts, d_ff, d_model)
        self.down = _matrices(n_experts, d_model, d_ff)
        self.shared = None if shared is None else shared(d_model)
        self.dispatch, self.activation = dispatch, activation
        self.matmul = matmul
        self.statistics = None

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return the weighted sum of the answers of each token's experts."""
        rows = x.reshape(-1, x.shape[-1])
        routing = self.router(rows)
        plan = self.dispatch(routing)
        self.statistics = (
            Statistics.of(routing, plan) if self.training else None
        )
        answers = self.visit(rows.index_select(0, plan.token), plan.ends)
        answers = answers * plan.weight[:, None].to(answers.dtype)
        y = torch.zeros_like(rows, dtype=answers.dtype)
        y = y.index_add(0, plan.token, answers).view(x.shape)
        return y if self.shared is None else y + self.shared(x)

    def visit(
        self, rows: Float[Tensor, "m D"], ends: Int[Tensor, " E"]
    ) -> Float[Tensor, "m D"]:
        """Return what the experts make of rows that are sorted by expert."""
        gate = self.matmul(rows, self.gate, ends)
        up = self.matmul(rows, self.up, ends)
        return self.matmul(self.activation(gate) * up, self.down, ends)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the statistics out of copies: copying a graph fails."""
        return self.__dict__ | {"statistics": None}


def _matrices(n_experts: int, d_out: int, d_in: int) -> nn.Parameter:
    """Begin as nn.Linear would, until a model draws all its weights."""
    bound = d_in**-0.5
    drawn = torch.empty(n_experts, d_out, d_in).uniform_(-bound, bound)
    return nn.Parameter(drawn)
