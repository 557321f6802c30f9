"""What rows cost a model that was not trained on them."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from scratchlm.text.shards.rows import Rows
from scratchlm.training.objective.loss import Loss, together
from scratchlm.training.pretraining.micro_batches import as_tensors
from scratchlm.training.pretraining.run import language_loss

AT_ONCE = 4096  # tokens of a batch, or one row; guessed


@torch.no_grad()
def loss_of_rows(model: Any, rows: Rows, n_rows: int | None = None) -> Loss:
    """Return what the tokens of rows cost a model.

    A token near the beginning of a row is predicted from less than one near
    its end, as in training.

    Args:
        model: a transformer with a linear head, in eval mode.
        rows: of documents that no step has seen.
        n_rows: how many, spread evenly over all; None for all.
    """
    device = next(model.parameters()).device
    numbers = spread_over(len(rows), n_rows)
    at_once = max(1, AT_ONCE // rows.n_tokens)
    return together(
        language_loss(model, as_tensors(rows.gather(some), device))
        for some in np.split(numbers, range(at_once, len(numbers), at_once))
    )


def spread_over(
    n_rows: int, wanted: int | None
) -> Int64[np.ndarray, " wanted"]:
    """Return the numbers of some rows, spread evenly over all.

    Args:
        n_rows: all of them.
        wanted: how many; all if None, or if there are no more.
    """
    count = n_rows if wanted is None else min(wanted, n_rows)
    return np.arange(count) * n_rows // count
