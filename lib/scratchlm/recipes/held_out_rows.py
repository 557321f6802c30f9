"""What rows cost a model that was not trained on them."""

from typing import Any

import numpy as np
import torch

from scratchlm.text.shards.rows import Rows
from scratchlm.training.objective.loss import Loss, together
from scratchlm.training.pretraining.micro_batches import as_tensors
from scratchlm.training.pretraining.run import language_loss

AT_ONCE = 16  # rows of a batch


@torch.no_grad()
def loss_of_rows(model: Any, rows: Rows, n_rows: int | None = None) -> Loss:
    """Return what the tokens of rows cost a model.

    A token near the beginning of a row is predicted from less than one near
    its end, as in training.

    Args:
        model: a transformer with a linear head, in eval mode.
        rows: of documents that no step has seen.
        n_rows: how many, the first ones; None for all.
    """
    device = next(model.parameters()).device
    numbers = np.arange(min(len(rows), n_rows or len(rows)))
    return together(
        language_loss(model, as_tensors(rows.gather(some), device))
        for some in np.split(numbers, range(AT_ONCE, len(numbers), AT_ONCE))
    )
