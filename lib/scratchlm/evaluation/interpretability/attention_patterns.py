"""Where heads look, and which of them copy what came before."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.evaluation.interpretability.hooks import module_at


@torch.no_grad()
def attention_patterns(
    model: Any, tokens: Int[Tensor, "B T"]
) -> Float[Tensor, "layers B N T T"]:
    """Return how much each position takes of each other, head by head.

    The weights are computed again from the queries and keys that each layer
    hands to its core, since a fast core does not keep them.

    Args:
        model: whose attention is causal, with scores over the root of H.
        tokens: ids; each row is one document.
    """
    kept: list[Tensor] = []

    def keep(_: nn.Module, args: Any) -> None:
        q, k = args[0], args[1]
        k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
        scores = q @ k.mT / q.shape[-1] ** 0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        kept.append(scores.masked_fill(future, -torch.inf).softmax(-1))

    cores = [
        module_at(model, f"blocks.{i}.attention.core")
        for i in range(len(model.blocks))
    ]
    handles = [core.register_forward_pre_hook(keep) for core in cores]
    try:
        model.hidden(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(kept)


def repeated_tokens(
    n_rows: int, n_half: int, vocab_size: int, *, seed: int = 0
) -> Int[Tensor, "B T"]:
    """Return rows of random tokens, each of which is followed by itself.

    Args:
        n_rows: rows B.
        n_half: tokens before the repetition, half of T.
        vocab_size: ids are drawn below this, evenly.
        seed: decides which.

    Raises:
        ValueError: a size is too small for a repetition.

    Source: Olsson et al. 2022, "In-context Learning and Induction Heads".
    """
    if n_rows < 1 or n_half < 2 or vocab_size < 2:
        raise ValueError(
            f"{n_rows} rows of twice {n_half} tokens of {vocab_size}; give at "
            "least 1 row, 2 tokens and 2 ids"
        )
    draws = torch.Generator().manual_seed(seed)
    half = torch.randint(vocab_size, (n_rows, n_half), generator=draws)
    return half.repeat(1, 2)


def periodic_tokens(
    n_rows: int, n_half: int, vocab_size: int, *, seed: int = 0
) -> Int[Tensor, "B T"]:
    """Return rows that repeat, each after another number of tokens.

    From half of ``n_half`` to all of it. If the distance were always the
    same, a head could look back by it, whatever stands there.

    Args:
        n_rows: rows B.
        n_half: the longest period, half of T.
        vocab_size: ids are drawn below this, evenly.
        seed: decides which.

    Raises:
        ValueError: a size is too small for a repetition.
    """
    rows = repeated_tokens(n_rows, n_half, vocab_size, seed=seed)
    draws = torch.Generator().manual_seed(seed + 1)
    least = max(2, n_half // 2)
    periods = torch.randint(least, n_half + 1, (n_rows, 1), generator=draws)
    return rows.gather(1, torch.arange(2 * n_half) % periods)


def induction_scores(
    patterns: Float[Tensor, "layers B N T T"],
) -> Float[Tensor, "layers N B"]:
    """Return how much each head looks behind the token's last occurrence.

    In a row that repeats its first half, that is the position ``T/2 - 1``
    before. The score is the mean weight there, over the second half.

    Args:
        patterns: of rows that :func:`repeated_tokens` made.

    Raises:
        ValueError: rows have an odd length.
    """
    n = patterns.shape[-1]
    if n % 2:
        raise ValueError(
            f"rows have {n} tokens; give rows that repeat their first half"
        )
    return _on_diagonal(patterns, n // 2 - 1, start=n // 2)


def previous_token_scores(
    patterns: Float[Tensor, "layers B N T T"],
) -> Float[Tensor, "layers N B"]:
    """Return how much each head looks at the token just before.

    Args:
        patterns: of any rows.
    """
    return _on_diagonal(patterns, 1, start=1)


def _on_diagonal(patterns: Tensor, back: int, start: int) -> Tensor:
    rows = torch.arange(start, patterns.shape[-1])
    return patterns[..., rows, rows - back].mean(-1).transpose(1, 2)
