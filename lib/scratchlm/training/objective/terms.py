"""What is asked of each position, as parts that are passed in."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from scratchlm.model.transformer.loss import counted_targets
from scratchlm.training.objective.loss import Loss

# Called with the logits of some positions and their targets, all of which
# count; returns nats for each position.
Term = Callable[[Tensor, Tensor], Tensor]


def surprise(
    logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return ``-log p(target)`` of each position, in nats.

    Args:
        logits: a score for each token of the vocabulary.
        targets: the tokens that came next.
    """
    return logits.logsumexp(-1) - logits.gather(-1, targets[:, None])[:, 0]


@dataclass(frozen=True)
class ZLoss:
    """Keep the logits' normaliser near one: ``weight * log(Z) ** 2``.

    Args:
        weight: how strongly.

    Raises:
        ValueError: ``weight`` is below 0.

    Source: Chowdhery et al. 2023, "PaLM", section 5, with weight 1e-4.
    """

    weight: float = 1e-4

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise ValueError(f"weight is {self.weight}; give 0 or more")

    def __call__(
        self, logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Return what each position pays; targets change nothing."""
        return self.weight * logits.logsumexp(-1).square()


@dataclass(frozen=True)
class Smoothed:
    """Surprise at a mixture of the target and of all tokens alike.

    Args:
        amount: the share of all tokens alike, from 0 to 1.

    Raises:
        ValueError: ``amount`` is not from 0 to 1.

    Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for
    Computer Vision", section 7.
    """

    amount: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= 1:
            raise ValueError(f"amount is {self.amount}; give 0 to 1")

    def __call__(
        self, logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Return the cross-entropy to the mixture at each position."""
        alike = logits.logsumexp(-1) - logits.mean(-1)
        own = surprise(logits, targets)
        return (1 - self.amount) * own + self.amount * alike


@dataclass(frozen=True)
class SumOf:
    """Several terms at once.

    Args:
        terms: what each position pays is their sum.
    """

    terms: tuple[Term, ...]

    def __call__(
        self, logits: Float[Tensor, "n V"], targets: Int[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Return the sum of the terms at each position."""
        return torch.stack([t(logits, targets) for t in self.terms]).sum(0)


def term_loss(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    term: Term,
    *,
    ignore: int = -100,
) -> Loss:
    """Return what a term asks of a linear head's logits, over valid tokens.

    Works in float32 at least, whatever the type of the head.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        term: what each position pays.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    counted = counted_targets(targets, len(weight), ignore)
    logits = wide(F.linear(x[counted], weight))
    return Loss(term(logits, targets[counted]).sum(), counted.sum())


def wide(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return float32, or float64 as it is.

    Args:
        x: logits in any type.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
