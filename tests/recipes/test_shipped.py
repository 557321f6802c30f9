"""The models that come with the book, against the code as it is now."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scratchlm.recipes.artifact import (
    FIRST,
    MANIFEST,
    SHIPPED,
    load_artifact,
    read_manifest,
)
from scratchlm.recipes.registry import make
from scratchlm.training.pretraining import fastest_dtype, train

NAMES = sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST}"))
MOST, MOST_OF_ALL = 10_000_000, 60_000_000  # bytes
# Of a loss of several nats: how far another type or processor leads away in
# twenty steps, and far less than another setting would.
TOLERANCE = 0.02


def test_the_base_model_is_shipped():
    """A page that trains an hour before its first output."""
    assert "tinyworld-base" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_small(name):
    """A checkout of gigabytes."""
    sizes = [path.stat().st_size for path in (SHIPPED / name).iterdir()]
    assert sum(sizes) <= MOST


def test_all_together_are_small():
    """Ten models of ten megabytes each."""
    files = (path for path in SHIPPED.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) <= MOST_OF_ALL


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_is_the_one_that_made_it(name):
    """A recipe that was changed under a model that was not."""
    manifest = read_manifest(SHIPPED / name)
    assert make(manifest["recipe"]).run.about() == manifest["settings"]


@pytest.mark.slow  # some hundred held-out documents through the model
@pytest.mark.parametrize("name", NAMES)
def test_the_code_gives_the_recorded_loss(name):
    """A part of the model that computes something else than it did."""
    found = load_artifact(SHIPPED / name)
    run = make(found.manifest["recipe"]).run
    with torch.no_grad():
        loss = run.evaluate(found.model)
    assert loss == pytest.approx(found.manifest["held_out"][-1][1], abs=1e-3)


@pytest.mark.slow  # makes the run's text, then takes some of its real steps
@pytest.mark.parametrize("name", NAMES)
def test_the_first_steps_give_the_recorded_losses(name):
    """Another order of rows, another seed, another optimizer."""
    manifest = read_manifest(SHIPPED / name)
    # Where bfloat16 is emulated, twenty steps in it take ten minutes.
    recipe = make(manifest["recipe"], {"dtype": fastest_dtype()})
    run = replace(recipe.run, evaluate=None)
    steps = train(run)
    losses = [next(steps).loss for _ in range(FIRST)]
    np.testing.assert_allclose(
        losses, manifest["first_losses"], rtol=0, atol=TOLERANCE
    )
