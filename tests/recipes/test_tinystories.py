"""The run on TinyStories, as far as it goes without a GPU."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scratchlm.recipes.plan import plan
from scratchlm.recipes.tinystories import tinystories_30m
from scratchlm.training.pretraining.loop import train


def test_the_run_trains_on_streamed_text(tmp_path):
    """Parts that fit each other in the plan alone."""
    folder = tmp_path / "local" / "tinystories"
    folder.mkdir(parents=True)
    lines = [
        json.dumps({"text": f"There were {i} cats and {i * i} dogs. " * 9})
        for i in range(50)
    ]
    (folder / "part.jsonl").write_text("\n".join(lines) + "\n")
    recipe = tinystories_30m(
        folder=str(tmp_path / "data"),
        stream=True,
        local=str(tmp_path / "local"),
        held_out_tokens=700,
        n_steps=3,
        batch_size=2,
        n_micro=2,
        d_model=64,
        n_layers=1,
        vocab_size=280,
        dtype="float32",
        device="cpu",
    )
    steps = list(train(recipe.run))
    assert steps[-1].tokens == 3 * 2 * 512
    assert steps[-1].held_out < steps[0].loss
    assert recipe.tokenizer().vocab_size == 280


def test_missing_text_is_said_with_the_folder(tmp_path):
    """A traceback of a file that nobody named."""
    recipe = tinystories_30m(folder=str(tmp_path / "none"), device="cpu")
    with pytest.raises(ValueError, match=r"no finished shards in .*none"):
        recipe.run.batches()


def test_the_defaults_are_one_pass_on_one_gpu():
    """A run that reads each story twice, or that no GPU holds."""
    recipe = tinystories_30m()
    assert recipe.run.device == "cuda"
    assert recipe.run.dtype == "bfloat16"
    assert plan(recipe).memory < 16e9
    assert plan(recipe).tokens < 475_000_000
    more = replace(recipe, run=replace(recipe.run, n_micro=1))
    assert plan(more).memory > plan(recipe).memory
    assert recipe.run.batches.func.__self__.folder == Path("data/tinystories")
