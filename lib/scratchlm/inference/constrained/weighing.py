"""What masking does to probabilities, and how to undo it.

A mask renormalises the distribution of each next token. That is not the
model's distribution of whole texts, given that they are in the grammar. The
ratio of the two is known for each text that was drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from scratchlm.inference.constrained.processor import Constrained
from scratchlm.inference.sampling.draws import uniform


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A text under a model and under the same model constrained.

    Args:
        free: log-probability of each token under the model, in nats.
        mass: log of the mass that the model gives to all tokens allowed in
            its place, in nats; never above 0.
    """

    free: Float64[Tensor, " T"]
    mass: Float64[Tensor, " T"]

    @property
    def model_log_prob(self) -> float:
        """Of the text under the model."""
        return float(self.free.sum())

    @property
    def log_prob(self) -> float:
        """Of the text under the constrained model."""
        return float((self.free - self.mass).sum())

    @property
    def log_weight(self) -> float:
        """Log of the first over the second: the product of the masses."""
        return float(self.mass.sum())


def weigh(
    logits: Float[Tensor, "T V"], ids: Sequence[int], constrained: Constrained
) -> Weighed:
    """Return the probabilities of a text, exactly.

    Args:
        logits: of the model, each for the token of its place.
        ids: the T tokens, with the end if it was written.
        constrained: the processor.

    Raises:
        ValueError: there are not as many tokens as logits, or they are not
            in the grammar.
    """
    if len(ids) != len(logits):
        raise ValueError(
            f"{len(ids)} tokens and logits for {len(logits)}; give those "
            "behind the prompt and each token before the last"
        )
    _ = constrained.state(ids)  # raises where the grammar is left
    log_probs = logits.double().log_softmax(-1)
    index = torch.tensor(list(ids), dtype=torch.long, device=logits.device)
    free = log_probs.gather(-1, index[:, None])[:, 0]
    mass = [
        row[constrained.allowed(ids[:place]).to(row.device)].logsumexp(0)
        for place, row in enumerate(log_probs)
    ]
    return Weighed(
        free=free, mass=torch.stack(mass) if mass else torch.zeros_like(free)
    )


def effective_number(log_weights: Sequence[float]) -> float:
    """Return how many equally weighted draws some are worth.

    Args:
        log_weights: of the draws, at least one.

    Returns:
        From 1, where one weight is far above the others, to their number.

    Source: Kong, Liu and Wong 1994, "Sequential Imputations and Bayesian
    Missing Data Problems", sec. 4.1.
    """
    w = torch.tensor(log_weights, dtype=torch.float64)
    return float((2 * w.logsumexp(0) - (2 * w).logsumexp(0)).exp())


def resample(log_weights: Sequence[float], n: int, *, seed: int) -> list[int]:
    """Return draws among draws, in proportion to their weights.

    With many draws, those chosen follow the distribution to which the
    weights correct.

    Args:
        log_weights: of the draws, at least one.
        n: how many to choose; one may be chosen several times.
        seed: decides which.

    Source: Rubin 1987, comment on Tanner and Wong, sampling / importance
    resampling.
    """
    weights = torch.tensor(log_weights, dtype=torch.float64).softmax(0)
    reached = weights.cumsum(0)
    points = [uniform(seed, 0, place) for place in range(n)]
    u = torch.tensor(points, dtype=torch.float64) * reached[-1]
    chosen = torch.searchsorted(reached, u, right=True)
    return [int(i) for i in chosen.clamp(max=len(weights) - 1)]
