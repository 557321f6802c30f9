"""Heads that predict tokens beyond the next."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.model.block.feedforward import SwiGLU
from scratchlm.model.block.norm import RMSNorm
from scratchlm.model.transformer.kernels.fused_loss import (
    fused_linear_cross_entropy_sum,
)
from scratchlm.training.objective.loss import Loss, Summed, next_token_loss


def targets_ahead(
    targets: Int[Tensor, "B T"],
    ahead: int,
    *,
    documents: Int[Tensor, "B T"] | None = None,
    ignore: int = -100,
) -> Int[Tensor, "B T"]:
    """Return the token that comes so many places after the next one.

    Args:
        targets: the tokens that came next.
        ahead: places beyond the next token, at least 1.
        documents: a number for each document of a row. A document's tokens
            say nothing about the next document's; those targets do not
            count. Each row is one document if None.
        ignore: the target of positions that do not count.

    Raises:
        ValueError: ``ahead`` is below 1.
    """
    if ahead < 1:
        raise ValueError(f"ahead is {ahead}; give 1 or more, as 0 is targets")
    shifted = torch.full_like(targets, ignore)
    later = targets[:, ahead:]
    if documents is not None:
        same = documents[:, ahead:] == documents[:, :-ahead]
        later = later.where(same, ignore)
    shifted[:, : later.shape[1]] = later
    return shifted


class MoreWork(nn.Module):
    """A normed feed-forward layer beside the stream, for one head.

    Args:
        d_model: width D of the residual stream.
    """

    def __init__(self, d_model: int):
        super().__init__()
        self.norm = RMSNorm(d_model)
        self.feedforward = SwiGLU(d_model, 2 * d_model)

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """Return the stream for a later token."""
        y: Tensor = x + self.feedforward(self.norm(x))
        return y


class MultiTokenHeads(nn.Module):
    """Predict several tokens from what the head reads.

    One trunk, one unembedding, and a small part of its own for each token
    beyond the next. After training they are dropped, and the model is as it
    was.

    ::

        x ──────────── head ─ next token
        ├─ part 1 ──── head ─ the one after it
        └─ part 2 ──── head ─ the one after that

    Args:
        d_model: width D of the residual stream.
        n_ahead: how many tokens beyond the next.
        part: called with D for each; its result maps D to D.

    Raises:
        ValueError: ``n_ahead`` is below 1.

    Source: Gloeckle et al. 2024, "Better & Faster Large Language Models via
    Multi-token Prediction", section 2, where a part is a whole block.
    """

    def __init__(
        self,
        d_model: int,
        n_ahead: int,
        *,
        part: Callable[[int], nn.Module] = MoreWork,
    ):
        super().__init__()
        if n_ahead < 1:
            raise ValueError(f"n_ahead is {n_ahead}; give 1 or more")
        self.parts = nn.ModuleList(part(d_model) for _ in range(n_ahead))

    def forward(  # noqa: PLR0913
        self,
        x: Float[Tensor, "B T D"],
        weight: Float[Tensor, "V D"],
        targets: Int[Tensor, "B T"],
        *,
        documents: Int[Tensor, "B T"] | None = None,
        ignore: int = -100,
        summed: Summed = fused_linear_cross_entropy_sum,
    ) -> list[Loss]:
        """Return the loss of the next token and of each one beyond it.

        Each has a count of its own, since a document's last tokens have
        nothing so far ahead.

        Args:
            x: what the head reads: ``model.hidden(tokens)``.
            weight: of the head, which all share.
            targets: the tokens that came next.
            documents: a number for each document of a row, or None.
            ignore: the target of positions that do not count.
            summed: how a sum is computed, as in ``next_token_loss``.

        Raises:
            ValueError: a target is not in the vocabulary.
        """

        def loss(read: Tensor, wanted: Tensor) -> Loss:
            return next_token_loss(
                read, weight, wanted, ignore=ignore, summed=summed
            )

        losses = [loss(x, targets)]
        for ahead, part in enumerate(self.parts, start=1):
            later = targets_ahead(
                targets, ahead, documents=documents, ignore=ignore
            )
            losses.append(loss(part(x), later))
        return losses
