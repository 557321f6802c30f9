"""All that decides a training run, in one frozen object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import nn

from scratchlm.model.transformer.transformer import TransformerConfig
from scratchlm.text.shards.batches import Batches
from scratchlm.training.objective.loss import Loss, next_token_loss
from scratchlm.training.pretraining.micro_batches import TokenBatch
from scratchlm.training.pretraining.precision import find_dtype

Objective: TypeAlias = Callable[[Any, TokenBatch], Loss]
Schedule: TypeAlias = Callable[[int], float]


def language_loss(model: Any, batch: TokenBatch) -> Loss:
    """Return the nats of the tokens that came next.

    Args:
        model: a :class:`scratchlm.model.transformer.transformer.Transformer`
            with a linear head.
        batch: rows, with their documents and positions if they are packed.
    """
    x = model.hidden(
        batch.tokens, documents=batch.documents, positions=batch.positions
    )
    return next_token_loss(x, model.head.weight, batch.targets)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run, before it begins.

    Args:
        model: sizes and parts.
        batches: called once; returns the sequence of batches, of all rows of
            a step each.
        n_steps: how many.
        optimizer: called with the model.
        schedule: called with the number of a step, from 0; the part of each
            peak learning rate.
        loss: called with the model and a micro-batch.
        n_micro: parts in which a step's rows are computed, one after
            another, for memory's sake alone.
        clip: the longest gradient.
        dtype: of matrix products: ``"float32"``, ``"bfloat16"`` or
            ``"float16"``, which brings a loss scale.
        recompute: compute activations again in the backward pass instead of
            keeping them.
        compiled: let torch.compile translate the model.
        seed: of the first weights, and of all draws while training.
        device: where to train.
        evaluate: called with the model every ``evaluate_every`` steps and
            after the last one; returns the held-out loss.
        evaluate_every: steps; 0 for after the last one alone.
        save_every: steps between checkpoints; the last step has one too.
        keep: how many of the newest checkpoints to keep.
        most_skipped: steps in a row that may be skipped because a loss or a
            gradient is not finite, before the run ends.

    Raises:
        ValueError: a number is out of range.
    """

    model: TransformerConfig
    batches: Callable[[], Batches]
    n_steps: int
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    schedule: Schedule
    loss: Objective = language_loss
    n_micro: int = 1
    clip: float = 1.0
    dtype: str = "float32"
    recompute: bool = False
    compiled: bool = False
    seed: int = 0
    device: str = "cpu"
    evaluate: Callable[[Any], float] | None = None
    evaluate_every: int = 0
    save_every: int = 500
    keep: int = 2
    most_skipped: int = 3

    def __post_init__(self) -> None:
        find_dtype(self.dtype)
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; give {least} or more"
                )
        if not self.clip > 0:
            raise ValueError(
                f"clip is {self.clip}; give a number above 0, or "
                "float('inf') for none"
            )

    def about(self) -> dict[str, Any]:
        """Return what a checkpoint must agree on with the run it is for.

        What only decides how fast or how often, such as ``device`` and
        ``save_every``, is left out.
        """
        return {name: described(getattr(self, name)) for name in _DECIDING}


_LEAST = {
    "n_steps": 1,
    "n_micro": 1,
    "seed": 0,
    "evaluate_every": 0,
    "save_every": 1,
    "keep": 1,
    "most_skipped": 0,
}
_DECIDING = (
    *("model", "n_steps", "optimizer", "schedule", "loss", "n_micro"),
    *("clip", "dtype", "seed"),
)


def described(value: Any) -> Any:
    """Return a setting as JSON has it: names for code, values for the rest.

    Args:
        value: a number, a text, a collection, a dataclass, a class, a
            function, or ``functools.partial`` of these.
    """
    if value is None or isinstance(value, str | int | float):
        told: Any = value
    elif isinstance(value, partial):
        given = sorted(value.keywords.items())
        told = {
            "part": described(value.func),
            "args": described(value.args),
            **{name: described(each) for name, each in given},
        }
    elif is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value)]
        own = {name: described(getattr(value, name)) for name in names}
        told = {"part": type(value).__qualname__, **own}
    elif isinstance(value, Mapping):
        told = {str(name): described(each) for name, each in value.items()}
    elif isinstance(value, tuple | list):
        told = [described(each) for each in value]
    elif isinstance(value, torch.dtype):
        told = str(value)
    else:
        named = value if hasattr(value, "__qualname__") else type(value)
        told = named.__qualname__
    return told
