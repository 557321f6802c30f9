"""Memory of a step: less of it for more work, and what to do without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from scratchlm.training.pretraining.micro_batches import TokenBatch


def recompute_blocks(model: Any) -> None:
    """Let each block keep its input alone, and compute the rest twice.

    The backward pass runs a block's forward pass once more when it needs
    the activations inside. Draws, such as those of dropout, are the same
    both times.

    Args:
        model: its blocks are in ``blocks``; changed in place, with the same
            weights under the same names.

    Raises:
        ValueError: the model has no blocks.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory
    Cost".
    """
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise ValueError(
            f"{type(model).__name__} has no blocks to compute again; train "
            "it without recompute"
        )
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)


@contextmanager
def out_of_memory_explained(
    micro: TokenBatch, *, n_micro: int, recompute: bool
) -> Iterator[None]:
    """Turn an error of the allocator into one that says what to change.

    Args:
        micro: the rows that did not fit.
        n_micro: parts of a step now.
        recompute: whether activations are computed again already.

    Raises:
        ValueError: memory ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        n_rows, n_tokens = micro.tokens.shape
        knobs = []
        if n_rows > 1:
            knobs.append(f"raise n_micro from {n_micro} to {2 * n_micro}")
        if not recompute:
            knobs.append("set recompute=True")
        knobs.append("shorten the rows or take a smaller model")
        raise ValueError(
            f"memory ran out with {n_rows} rows of {n_tokens} tokens at "
            f"once: {', or '.join(knobs)}"
        ) from error


def _is_out_of_memory(error: RuntimeError) -> bool:
    # A GPU's allocator has a class of its own; the CPU's says it in words.
    return isinstance(error, torch.OutOfMemoryError) or (
        "allocate memory" in str(error)
    )
