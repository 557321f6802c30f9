"""Follow a recipe: train, and look at what the model writes on the way."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scratchlm.foundation.durable import write_whole
from scratchlm.recipes.recipe import Recipe
from scratchlm.training.pretraining.interruption import Request
from scratchlm.training.pretraining.log import Sink
from scratchlm.training.pretraining.loop import train
from scratchlm.training.pretraining.state import Training
from scratchlm.training.pretraining.step import Step

SAMPLES = "samples.json"


def follow(
    recipe: Recipe,
    folder: Path,
    *,
    request: Request | None = None,
    sinks: tuple[Sink, ...] = (),
) -> Iterator[Step]:
    """Train by a recipe, and keep samples of four moments of the run.

    Args:
        recipe: what to train.
        folder: of the run; goes on where it stopped.
        request: asks the run to end.
        sinks: where each row of the log goes too.

    Raises:
        ValueError: as
            :func:`scratchlm.training.pretraining.loop.train`.
    """
    training = Training(recipe.run)
    steps = train(
        recipe.run, folder, training=training, request=request, sinks=sinks
    )
    for step in steps:
        if recipe.sample and step.step + 1 in moments(recipe.run.n_steps):
            _keep(recipe, training, folder / SAMPLES)
        yield step


def moments(n_steps: int) -> set[int]:
    """Return after which steps a model is asked to write.

    Early ones lie closer together, since most changes early.

    Args:
        n_steps: of the run.
    """
    return {max(1, n_steps // part) for part in (64, 16, 4, 1)}


def samples(folder: Path) -> list[dict[str, Any]]:
    """Return what the model of a run wrote, in order.

    Args:
        folder: of the run.

    Returns:
        For each moment its ``step``, ``tokens`` and ``texts``.
    """
    path = folder / SAMPLES
    return json.loads(path.read_text("utf8")) if path.exists() else []


def _keep(recipe: Recipe, training: Training, path: Path) -> None:
    assert recipe.sample is not None
    model = training.model.eval()
    found = {
        "step": training.step,
        "tokens": training.tokens,
        "texts": recipe.sample(model, recipe.tokenizer()),
    }
    model.train()
    # A run that was killed comes by once more.
    kept = [s for s in samples(path.parent) if s["step"] < training.step]
    data = json.dumps([*kept, found], indent=1).encode() + b"\n"
    write_whole(path, data)
