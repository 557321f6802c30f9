"""Which experts a token visits."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class Routing(NamedTuple):
    """What a router decided about n tokens.

    Args:
        chosen: the k experts of each token, the best first.
        weights: how much each of them counts in the token's answer.
        probs: what the router thinks of all experts; rows sum to 1.
        logits: scores before they became probabilities.
        load: how many of the n k choices fell on each expert.
    """

    chosen: Int[Tensor, "n k"]
    weights: Float[Tensor, "n k"]
    probs: Float[Tensor, "n E"]
    logits: Float[Tensor, "n E"]
    load: Int[Tensor, " E"]


class Router(nn.Module):
    """A score for each expert: one row of a matrix each.

    Subclasses choose by the scores.

    Args:
        d_model: width D of the residual stream.
        n_experts: number of experts E.
        top_k: how many of them a token visits.
        normalize: whether a token's weights are made to sum to 1.

    Raises:
        ValueError: more experts are to be visited than there are, or
            the only weight would be 1 whatever the router says.
    """

    def __init__(
        self, d_model: int, n_experts: int, top_k: int, *, normalize: bool
    ):
        super().__init__()
        if not 1 <= top_k <= n_experts:
            raise ValueError(
                f"top_k is {top_k}, with {n_experts} experts; a token visits "
                "at least one expert and each at most once"
            )
        if normalize and top_k == 1 < n_experts:
            raise ValueError(
                "with top_k 1 a normalised weight is 1 whatever the router "
                "says, so it would never learn; pass normalize=False"
            )
        self.top_k, self.normalize = top_k, normalize
        # As nn.Linear begins, until a model draws all its weights anew.
        bound = d_model**-0.5
        self.weight = nn.Parameter(
            torch.empty(n_experts, d_model).uniform_(-bound, bound)
        )

    def logits(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n E"]:
        """Return a score for each expert, in float32 or finer.

        bfloat16 keeps eight bits: scores that differ by less would tie, and
        the choice between them would depend on nothing.

        Source: Fedus, Zoph and Shazeer 2021, "Switch Transformers",
        sec. 2.4.
        """
        wide = torch.promote_types(x.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(wide), self.weight.to(wide))

    def weigh(
        self, scores: Float[Tensor, "n E"], chosen: Int[Tensor, "n k"]
    ) -> Float[Tensor, "n k"]:
        """Return the weights of the chosen experts."""
        weights = scores.gather(-1, chosen)
        if self.normalize:
            # So small that it changes no sum but that of zeros.
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return weights


def count_load(
    chosen: Int[Tensor, "n k"], n_experts: int
) -> Int[Tensor, " {n_experts}"]:
    """Return how many choices fell on each expert."""
    flat = chosen.flatten()
    return flat.new_zeros(n_experts).scatter_add(
        0, flat, flat.new_ones(()).expand(flat.shape)
    )


class SoftmaxRouter(Router):
    """Visit the k most probable experts.

    Args:
        d_model: width D of the residual stream.
        n_experts: number of experts E.
        top_k: how many of them a token visits.
        normalize: whether a token's weights are made to sum to 1, as in
            Mixtral; Switch uses the probabilities as they are.

    Raises:
        ValueError: see :class:`Router`.

    Source: Shazeer et al. 2017, "Outrageously Large Neural Networks",
    sec. 2.1; Jiang et al. 2024, "Mixtral of Experts", sec. 2.1.
    """

    def __init__(
        self,
        d_model: int,
        n_experts: int,
        top_k: int,
        *,
        normalize: bool = True,
    ):
        super().__init__(d_model, n_experts, top_k, normalize=normalize)

    def forward(self, x: Float[Tensor, "n D"]) -> Routing:
        """Return the choice for each token."""
        logits = self.logits(x)
        probs = logits.softmax(-1)
        chosen = probs.topk(self.top_k, -1).indices
        weights = self.weigh(probs, chosen)
        load = count_load(chosen, probs.shape[-1])
        return Routing(chosen, weights, probs, logits, load)


class BiasedRouter(Router):
    """Visit the k experts with the highest score plus bias.

    The bias takes part in the choice and in nothing else. No gradient
    changes it: :func:`scratchlm.model.experts.balancing.update_biases`
    raises it where the load was below the mean and lowers it where it was
    above.

    Args:
        d_model: width D of the residual stream.
        n_experts: number of experts E.
        top_k: how many of them a token visits.
        normalize: whether a token's weights are made to sum to 1.
        score: makes scores of logits: sigmoid, or a softmax.
        scale: factor of all weights; 2.5 in DeepSeek-V3.

    Raises:
        ValueError: see :class:`Router`.

    Source: Wang et al. 2024, "Auxiliary-Loss-Free Load Balancing Strategy
    for Mixture-of-Experts"; DeepSeek-AI 2024, "DeepSeek-V3", sec. 2.1.2.
    """

    bias: Tensor
    load: Tensor

    def __init__(  # noqa: PLR0913
        self,
        d_model: int,
        n_experts: int,
        top_k: int,
        *,
        normalize: bool = True,
        score: Callable[[Tensor], Tensor] = torch.sigmoid,
        scale: float = 1.0,
    ):
        super().__init__(d_model, n_experts, top_k, normalize=normalize)
        self.score, self.scale = score, scale
        self.register_buffer("bias", torch.zeros(n_experts))
        load = torch.zeros(n_experts, dtype=torch.int64)
        self.register_buffer("load", load, persistent=False)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> Any:
        """Follow the model to another device, but not to another type.

        A bias of 0.5 in bfloat16 stays 0.5 when 0.001 is added.
        """
        bias = self.bias
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        device = self.bias.device
        self.bias = (
            torch.zeros_like(bias, device=device)
            if bias.is_meta
            else bias.to(device)
        )
        return self

    def forward(self, x: Float[Tensor, "n D"]) -> Routing:
        """Return the choice for each token; count it if in training."""
        logits = self.logits(x)
        scores = self.score(logits)
        chosen = (scores + self.bias).topk(self.top_k, -1).indices
        weights = self.scale * self.weigh(scores, chosen)
        load = count_load(chosen, scores.shape[-1])
        if self.training:
            self.load += load
        probs = scores / scores.sum(-1, keepdim=True)
        return Routing(chosen, weights, probs, logits, load)
