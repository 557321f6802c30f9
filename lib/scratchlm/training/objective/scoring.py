"""What each document of a held-out set costs a model."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.text.shards.rows import IGNORED
from scratchlm.training.objective.terms import surprise, wide


@torch.no_grad()
def document_nats(
    model: nn.Module,
    documents: Sequence[Sequence[int] | Int[np.ndarray, " n"]],
    *,
    end_id: int,
    most_tokens: int,
    n_rows: int = 32,
) -> Float[np.ndarray, " documents"]:
    """Return what each document costs the model, its end included, in nats.

    Each stands in a row of its own behind an end, as training showed it, so
    every token is predicted once and from its own document alone. The model
    is as it is: call ``eval()`` before, if it drops anything.

    Args:
        model: tokens of shape (B, T) to logits of shape (B, T, V).
        documents: the ids of each, without the end.
        end_id: the id that ends a document.
        most_tokens: how many the model reads at once.
        n_rows: documents of a batch.

    Raises:
        ValueError: a document does not fit.
    """
    lengths = [len(document) + 1 for document in documents]
    for number, length in enumerate(lengths):
        if length > most_tokens:
            raise ValueError(
                f"document {number} has {length} tokens with its end, and "
                f"the model reads {most_tokens}; leave it out, or cut it "
                "and say so"
            )
    # Documents of like length share a batch, so that little is padding.
    order = sorted(range(len(documents)), key=lengths.__getitem__)
    nats = np.zeros(len(documents))
    device = next(model.parameters()).device
    for start in range(0, len(order), n_rows):
        some = order[start : start + n_rows]
        tokens, targets = _rows([documents[i] for i in some], end_id)
        logits = model(tokens.to(device)).flatten(0, 1)
        nats[some] = _sums(logits, targets.to(device)).cpu().numpy()
    return nats


def _rows(
    documents: Sequence[Sequence[int] | Int[np.ndarray, " n"]], end_id: int
) -> tuple[Tensor, Tensor]:
    """Return documents behind an end each, and what follows each token."""
    width = max(map(len, documents)) + 1
    tokens = torch.full((len(documents), width), end_id)
    targets = torch.full((len(documents), width), IGNORED)
    for row, document in enumerate(documents):
        ids = torch.as_tensor(np.asarray(document, np.int64))
        tokens[row, 1 : len(ids) + 1] = ids
        targets[row, : len(ids)] = ids
        targets[row, len(ids)] = end_id
    return tokens, targets


def _sums(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the nats of each row, over targets that count."""
    counted = targets != IGNORED
    nats = torch.zeros(targets.shape, dtype=torch.float64)
    nats = nats.to(targets.device)
    each = surprise(wide(logits[counted.flatten()]), targets[counted])
    nats[counted] = each.double()
    return nats.sum(-1)
