"""A step's batch as tensors, and the parts that fit into memory."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Int, Integer
from torch import Tensor

from scratchlm.text.shards.rows import Batch

Device: TypeAlias = torch.device | str


class TokenBatch(NamedTuple):
    """Rows to train on, as tensors.

    Args:
        tokens: what the model reads.
        targets: the token after each; -100 where there is none.
        documents: a number for each document of a row, or None.
        positions: of each token in its document, or None.
    """

    tokens: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    documents: Int[Tensor, "B T"] | None = None
    positions: Int[Tensor, "B T"] | None = None


def as_tensors(batch: Batch, device: Device = "cpu") -> TokenBatch:
    """Return the same rows as tensors; on the CPU without a copy.

    Args:
        batch: arrays, as :class:`scratchlm.text.shards.batches.Batches`
            gives them.
        device: where to.
    """
    return TokenBatch(
        tokens=_moved(batch.tokens, device),
        targets=_moved(batch.targets, device),
        documents=_moved_if(batch.documents, device),
        positions=_moved_if(batch.positions, device),
    )


def _moved(part: Integer[np.ndarray, "B T"], device: Device) -> Tensor:
    return torch.from_numpy(part).to(device)


def _moved_if(
    part: Integer[np.ndarray, "B T"] | None, device: Device
) -> Tensor | None:
    return None if part is None else _moved(part, device)


def micro_batches(batch: TokenBatch, n_micro: int) -> Iterator[TokenBatch]:
    """Cut the rows of a step into parts that follow each other.

    Args:
        batch: all rows of a step.
        n_micro: how many parts; their sizes differ by one row at most.

    Raises:
        ValueError: there are fewer rows than parts.
    """
    n_rows = len(batch.tokens)
    if not 1 <= n_micro <= n_rows:
        raise ValueError(
            f"n_micro is {n_micro}, and a step has {n_rows} rows; give 1 to "
            f"{n_rows}"
        )
    bounds = [part * n_rows // n_micro for part in range(n_micro + 1)]
    for start, stop in pairwise(bounds):
        some = slice(start, stop)
        documents, positions = batch.documents, batch.positions
        yield TokenBatch(
            tokens=batch.tokens[some],
            targets=batch.targets[some],
            documents=None if documents is None else documents[some],
            positions=None if positions is None else positions[some],
        )
