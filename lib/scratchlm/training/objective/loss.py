"""A loss as one sum over one count."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

from jaxtyping import Float, Int
from torch import Tensor

from scratchlm.model.transformer.kernels.fused_loss import (
    fused_linear_cross_entropy_sum,
)
from scratchlm.model.transformer.loss import mean

# Called with what a head reads, its weight, targets and ``ignore=``; returns
# the sum over targets that count, and their number.
Summed = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Loss:
    """What valid tokens cost together, and how many they are.

    Both come from one mask. Losses add over micro-batches and ranks, and
    the sum is divided once, so that no split changes the mean.

    Args:
        total: nats of all valid tokens, summed.
        count: the number of valid tokens.
    """

    total: Float[Tensor, ""]
    count: Int[Tensor, ""]

    def __add__(self, other: "Loss") -> "Loss":
        """Return the loss of both parts as one batch."""
        return Loss(self.total + other.total, self.count + other.count)

    def mean(self) -> Float[Tensor, ""]:
        """Return nats for each valid token.

        Raises:
            ValueError: there is none.
        """
        return mean(self.total, self.count)

    def over(self, count: int | Int[Tensor, ""]) -> Float[Tensor, ""]:
        """Return this part's share of the mean over all parts.

        Shares add up to the mean, and their gradients to its gradient. A
        part without a valid token has the share zero.

        Args:
            count: valid tokens of all parts together.

        Raises:
            ValueError: ``count`` is below this part's own, or below 1.
        """
        if count < 1 or count < self.count:
            raise ValueError(
                f"count is {int(count)}, and this part alone has "
                f"{int(self.count)} valid tokens; give the number of all "
                "parts together, at least 1"
            )
        return self.total / count


def together(parts: Iterable[Loss]) -> Loss:
    """Return the loss of all parts as one batch.

    Args:
        parts: of micro-batches or ranks; some may be without valid tokens.

    Raises:
        ValueError: there are no parts.
    """
    every = list(parts)
    if not every:
        raise ValueError("there are no parts; give one loss or more")
    return reduce(add, every)


def n_valid(
    targets: Int[Tensor, "*B"], *, ignore: int = -100
) -> Int[Tensor, ""]:
    """Return how many targets count, which needs no model.

    Args:
        targets: the tokens that came next.
        ignore: the target of positions that do not count.
    """
    return (targets != ignore).sum()


def next_token_loss(
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "V D"],
    targets: Int[Tensor, "*B"],
    *,
    ignore: int = -100,
    summed: Summed = fused_linear_cross_entropy_sum,
) -> Loss:
    """Return the nats of the tokens that came, under a linear head.

    Args:
        x: what the head reads: ``model.hidden(tokens)``.
        weight: of the head, which has no bias and bends nothing.
        targets: the tokens that came next.
        ignore: the target of positions that do not count.
        summed: how the sum is computed; the kernel never holds the logits.

    Raises:
        ValueError: a target is not in the vocabulary.
    """
    return Loss(*summed(x, weight, targets, ignore=ignore))
