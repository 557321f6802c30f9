"""An embedding and a loss of which each rank holds some of the tokens."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from scratchlm.scaling.collectives.conjugate import (
    copy_to,
    shard_sizes,
    sum_over,
)
from scratchlm.training.objective.terms import wide


class VocabularyShard(nn.Module):
    """The vectors of some tokens; the ranks together have those of all.

    Args:
        weight: vectors of this rank's tokens, (V_r, D).
        vocab_size: V, of all ranks.
        group: the ranks; the first ones have a token more where V does not
            divide.
    """

    def __init__(
        self, weight: nn.Parameter, vocab_size: int, group: dist.ProcessGroup
    ):
        super().__init__()
        self.weight, self.group = weight, group
        self.vocab_size = vocab_size
        self.first = first_token(vocab_size, group)

    def forward(self, tokens: Int[Tensor, "*B T"]) -> Float[Tensor, "*B T D"]:
        """Return the vectors, whichever rank has them.

        Raises:
            IndexError: a token is not in the vocabulary.
        """
        if tokens.numel() and not (
            tokens.min() >= 0 and tokens.max() < self.vocab_size
        ):
            raise IndexError(f"a token is not among {self.vocab_size}")
        at = tokens - self.first
        mine = (at >= 0) & (at < len(self.weight))
        # A rank may have no token, and then no row to look up.
        x = (
            F.embedding(at.where(mine, 0), self.weight)
            if len(self.weight)
            else self.weight.sum(0).expand(*tokens.shape, -1)
        )
        return sum_over(x.masked_fill(~mine[..., None], 0.0), self.group)


def first_token(vocab_size: int, group: dist.ProcessGroup) -> int:
    """Return the first token of this rank's shard of a vocabulary of V."""
    return sum(shard_sizes(vocab_size, group.size())[: group.rank()])


def vocabulary_parallel_sum(  # noqa: PLR0913
    x: Float[Tensor, "*B D"],
    weight: Float[Tensor, "R D"],
    targets: Int[Tensor, "*B"],
    *,
    group: dist.ProcessGroup,
    vocab_size: int,
    ignore: int = -100,
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """Sum the nats of the targets, without any rank having all logits.

    Three numbers for each position go over the wire instead of V: the
    largest logit, the sum of the exponentials, and the target's logit.

    Args:
        x: what the head reads, replicated.
        weight: the head's rows of this rank's tokens, V_r of them.
        targets: the tokens that came next.
        group: the ranks.
        vocab_size: V, of all ranks.
        ignore: the target of positions that do not count.

    Returns:
        The sum of -log p over the targets that count, and their number, on
        each rank.

    Raises:
        ValueError: a target is not in the vocabulary.

    Source: Shoeybi et al. 2019, "Megatron-LM", section 3.
    """
    valid = targets != ignore
    wanted = targets[valid]
    if len(wanted) and not 0 <= wanted.min() <= wanted.max() < vocab_size:
        raise ValueError(
            f"targets from {wanted.min()} to {wanted.max()}, but the "
            f"vocabulary has {vocab_size}, from 0; {ignore} is the target "
            f"of positions that do not count"
        )
    logits = wide(copy_to(x, group)[valid] @ weight.T)
    top = logits.new_full((len(wanted),), float("-inf"))
    if len(weight) and len(wanted):
        top = logits.detach().amax(-1)
    dist.all_reduce(top, dist.ReduceOp.MAX, group=group)
    total = sum_over((logits - top[:, None]).exp().sum(-1), group)
    at = wanted - first_token(vocab_size, group)
    mine = (at >= 0) & (at < len(weight))
    row = torch.arange(len(wanted), device=x.device)[mine]
    own = logits.new_zeros(len(wanted)).index_put(
        (row,), logits[row, at[mine]]
    )
    target = sum_over(own, group)
    return (total.log() + top - target).sum(), valid.sum()


def loss_of_shards(
    group: dist.ProcessGroup, vocab_size: int
) -> partial[tuple[Tensor, Tensor]]:
    """Return what ``next_token_loss`` takes as ``summed``.

    Args:
        group: the ranks that share the head.
        vocab_size: V, of all ranks.
    """
    return partial(vocabulary_parallel_sum, group=group, vocab_size=vocab_size)
