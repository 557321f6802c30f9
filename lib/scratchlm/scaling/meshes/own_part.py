"""What one rank keeps of a model, and what it reads of a batch."""

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import nn

from scratchlm.model.attention.documents import Documents
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.context_and_expert_parallel.context_parallel import (
    Share,
)
from scratchlm.scaling.pipeline_parallel.stages import Stage
from scratchlm.training.pretraining.micro_batches import TokenBatch


def joined(stages: Mapping[int, Stage]) -> nn.Module:
    """Return one module that holds all stages of a rank.

    Args:
        stages: of one model.

    Returns:
        Their parts under the names that they have in the model.
    """
    own = nn.Module()
    own.blocks = nn.ModuleDict(
        {
            name: block
            for stage in stages.values()
            for name, block in stage.blocks.items()
        }
    )
    for stage in stages.values():
        for name in ("embedding", "norm", "head"):
            if getattr(stage, name) is not None:
                setattr(own, name, getattr(stage, name))
    return own


def forget_rest(model: Transformer, own: nn.Module) -> None:
    """Let go of the weights that other ranks hold.

    Args:
        model: the whole, which is used up.
        own: what of it this rank keeps.
    """
    kept = {id(p) for p in own.parameters()}
    for p in model.parameters():
        if id(p) not in kept:
            p.data = p.data.new_empty(0)


def whole_rows(part: TokenBatch) -> Share:
    """Return what a rank reads that reads all positions.

    Args:
        part: some rows of a step.
    """
    packed, at = None, part.positions
    if part.documents is not None:
        packed = Documents.of(part.documents)
    if at is None and packed is not None:
        at = packed.positions
    if at is None:
        n_tokens = part.tokens.shape[1]
        at = torch.arange(n_tokens, device=part.tokens.device)
    return Share(part.tokens, part.targets, at.expand_as(part.tokens), packed)


def hashes(batch: TokenBatch) -> dict[str, str]:
    """Return a few letters for each tensor of a batch, to compare ranks by.

    Args:
        batch: all rows.
    """
    return {
        name: sha256(x.cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
        for name, x in batch._asdict().items()
        if x is not None
    }
