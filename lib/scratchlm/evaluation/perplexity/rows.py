"""Log-probabilities of tokens, of many rows of unlike length at once."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

# Positions whose logits exist at once: with 50,000 tokens in the vocabulary
# 50 MB, beyond which nothing was faster here.
_LOGITS = 256


class Row(NamedTuple):
    """Tokens to read, and those of them that are scored.

    Args:
        ids: the tokens. The last is scored and never read.
        first: where the first stands that is scored, at least 1.
    """

    ids: Sequence[int]
    first: int


class TokenScores(NamedTuple):
    """What the scored tokens of one row cost.

    Args:
        nats: ``-log p`` of each.
        greedy: whether the model holds each for the likeliest.
    """

    nats: Float[np.ndarray, " n"]
    greedy: Bool[np.ndarray, " n"]


@torch.no_grad()
def score_rows(
    model: nn.Module,
    rows: Sequence[Row],
    *,
    n_positions: int = 4096,
) -> list[TokenScores]:
    """Return what the scored tokens of each row cost a model.

    Rows of like length are read together. Those that are shorter end in
    padding, which stands behind all that is scored, so that no token sees
    it.

    Args:
        model: a causal transformer in eval mode.
        rows: in any order.
        n_positions: how many are read at once, padding included.
    """
    found: list[TokenScores | None] = [None] * len(rows)
    for some in _batches([len(row.ids) - 1 for row in rows], n_positions):
        batch = [rows[i] for i in some]
        tokens = padded(batch, device_of(model))
        hidden = model.hidden(tokens)  # type: ignore[operator]
        for i, each in zip(some, scored(model, hidden, batch), strict=True):
            found[i] = each
    return [scores for scores in found if scores is not None]


def padded(
    rows: Sequence[Row], device: torch.device, skip: int = 0
) -> Int[Tensor, "B T"]:
    """Return what is read of rows, with 0 behind the shorter ones.

    Args:
        rows: one or more.
        device: of the tensor.
        skip: how many tokens of each row have been read before.
    """
    width = max(len(row.ids) for row in rows) - 1 - skip
    tokens = torch.zeros(len(rows), width, dtype=torch.long)
    for number, row in enumerate(rows):
        read = torch.as_tensor(np.asarray(row.ids[skip:-1], np.int64))
        tokens[number, : len(read)] = read
    return tokens.to(device)


def scored(
    model: nn.Module,
    hidden: Float[Tensor, "B T D"],
    rows: Sequence[Row],
    *,
    places: Sequence[int] | None = None,
    skip: int = 0,
) -> list[TokenScores]:
    """Return what the scored tokens of rows cost, from what the head reads.

    The head is applied to the positions that are scored, and to no others.

    Args:
        model: whose head it is.
        hidden: of the positions that were read.
        rows: whose tokens are scored.
        places: which row of ``hidden`` each has been read in; each in its
            own if None.
        skip: how many tokens of each row stand before those of ``hidden``.
    """
    places = range(len(rows)) if places is None else places
    sizes = [len(row.ids) - row.first for row in rows]
    at = [np.arange(r.first, len(r.ids)) - 1 - skip for r in rows]
    wanted = [np.asarray(row.ids[row.first :], np.int64) for row in rows]
    x = hidden[np.repeat(places, sizes), np.concatenate(at)]
    targets = torch.as_tensor(np.concatenate(wanted), device=x.device)
    nats, greedy = target_nats(model, x, targets)
    ends = np.cumsum(sizes)
    return [
        TokenScores(nats[end - size : end], greedy[end - size : end])
        for size, end in zip(sizes, ends, strict=True)
    ]


@torch.no_grad()
def target_nats(
    model: Any, x: Float[Tensor, "n D"], targets: Int[Tensor, " n"]
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return ``-log p`` of targets, and whether each is the likeliest.

    Args:
        model: whose head reads ``x``.
        x: one vector for each target.
        targets: ids.
    """
    nats, greedy = [], []
    for some, wanted in zip(
        torch.split(x, _LOGITS), torch.split(targets, _LOGITS), strict=True
    ):
        logits = model.head(some)
        # In 16 bits a sum over the vocabulary loses its last digits.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        own = logits.gather(-1, wanted[:, None])[:, 0]
        nats.append(logits.logsumexp(-1) - own)
        greedy.append(logits.argmax(-1) == wanted)
    return (
        torch.cat(nats).double().cpu().numpy(),
        torch.cat(greedy).cpu().numpy(),
    )


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's weights lie.

    Args:
        model: with at least one.
    """
    return next(model.parameters()).device


def _batches(widths: Sequence[int], n_positions: int) -> Iterator[list[int]]:
    """Yield rows of like width, so that few positions are padding."""
    batch: list[int] = []
    for i in sorted(range(len(widths)), key=widths.__getitem__):
        # The widest row, which is the last, decides what all of them take.
        if batch and (len(batch) + 1) * widths[i] > n_positions:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
