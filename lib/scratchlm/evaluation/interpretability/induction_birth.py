"""A small model in which an induction head is born."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from scratchlm.evaluation.interpretability.attention_patterns import (
    attention_patterns,
    induction_scores,
    periodic_tokens,
    previous_token_scores,
    repeated_tokens,
)
from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)


@dataclass(frozen=True, kw_only=True)
class Birth:
    """What checkpoints of a run show, one entry for each.

    Args:
        steps: after which the checkpoint was taken.
        losses: of tokens that repeat, in nats.
        induction: the highest induction score of a head.
        previous: the highest previous-token score of a head.
    """

    steps: list[int]
    losses: list[float]
    induction: list[float]
    previous: list[float]


def copying_loss(
    model: Transformer, tokens: Int[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """Return the mean surprise of the tokens that can be copied, in nats.

    Args:
        model: any.
        tokens: rows that repeat their first half.
    """
    half = tokens.shape[1] // 2
    logits = model(tokens[:, :-1])[:, half:]
    return F.cross_entropy(
        logits.flatten(0, 1), tokens[:, half + 1 :].flatten()
    )


def observe_birth(  # noqa: PLR0913
    config: TransformerConfig,
    *,
    n_steps: int,
    every: int,
    n_rows: int = 32,
    n_half: int = 16,
    learning_rate: float = 3e-3,
    one_distance: bool = False,
    seed: int = 0,
) -> Birth:
    """Train a model on rows that repeat, and look at it again and again.

    Unless told otherwise, each row repeats after another number of tokens,
    as ``periodic_tokens`` explains.

    Args:
        config: of the model; two layers are the fewest that can do it.
        n_steps: steps of Adam.
        every: steps from one checkpoint to the next.
        n_rows: rows of a batch.
        n_half: tokens before the repetition, at most.
        learning_rate: the same throughout.
        one_distance: whether all rows repeat after ``n_half`` tokens, so
            that a head needs no tokens to find the last occurrence.
        seed: of weights and rows.

    Raises:
        ValueError: a number of steps is below 1.

    Source: Olsson et al. 2022, "In-context Learning and Induction Heads".
    """
    if min(n_steps, every) < 1:
        raise ValueError(f"{n_steps} steps, one in {every}; use at least 1")
    torch.manual_seed(seed)
    model = Transformer(config)
    adam = torch.optim.Adam(model.parameters(), learning_rate)
    asked = repeated_tokens(16, n_half, config.vocab_size, seed=10**6)
    seen = Birth(steps=[], losses=[], induction=[], previous=[])
    draw = repeated_tokens if one_distance else periodic_tokens
    for step in tqdm(range(n_steps + 1), "birth", leave=False, disable=None):
        if step % every == 0:
            _look(model, asked, step, seen)
        rows = draw(
            n_rows, n_half, config.vocab_size, seed=seed * 10**7 + 2 * step
        )
        loss = copying_loss(model, rows)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    return seen


@torch.no_grad()
def _look(model: Transformer, asked: Tensor, step: int, seen: Birth) -> None:
    patterns = attention_patterns(model, asked)
    seen.steps.append(step)
    seen.losses.append(float(copying_loss(model, asked)))
    seen.induction.append(_best(induction_scores(patterns)))
    seen.previous.append(_best(previous_token_scores(patterns)))


def _best(scores: Tensor) -> float:
    return float(scores.mean(-1).max())


def largest_fall(values: list[float]) -> int:
    """Return the checkpoint by which a curve has fallen most in one step.

    Args:
        values: of checkpoints in order.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} checkpoints; give at least two")
    falls = [a - b for a, b in pairwise(values)]
    return 1 + falls.index(max(falls))
