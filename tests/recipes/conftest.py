"""A recipe whose run takes a second, and its artifact."""

from dataclasses import replace

import pytest

from scratchlm.recipes.following import follow
from scratchlm.recipes.python_source import python_source_model
from scratchlm.recipes.registry import RECIPES
from scratchlm.recipes.tinyworld import tinyworld_tiny
from scratchlm.recipes.world_text import END, PIECES, WORLD
from scratchlm.text.tinyworld.world import TinyWorld
from scratchlm.text.tokenizer import BPETokenizer

SMALL = {
    "megabytes": 0.3,
    "vocab_size": 300,
    "d_model": 64,
    "n_layers": 1,
    "batch_size": 2,
    "n_steps": 6,
}


def small(*, seed: int = 0):
    """Train as little as can be."""
    return replace(python_source_model(**SMALL, seed=seed), name="small")


@pytest.fixture
def small_recipe(monkeypatch):
    """A recipe of six steps, which is registered as ``small`` too."""
    known = {**RECIPES, "small": small}
    monkeypatch.setattr("scratchlm.recipes.registry.RECIPES", known)
    return small()


@pytest.fixture
def finished(small_recipe, once):
    """The folder of a finished run of the small recipe."""

    def fill(folder):
        for _ in follow(small_recipe, folder):
            pass

    return once("finished-small-run", fill)


@pytest.fixture
def tiny_model():
    """A blank model of the smallest recipe of TinyWorld."""
    return tinyworld_tiny().run.model


@pytest.fixture(scope="session")
def world():
    return TinyWorld(WORLD)


@pytest.fixture(scope="session")
def quick_tokenizer(world):
    """A tokenizer of TinyWorld that is learned in a moment."""
    texts = [document.text for document in world.documents(5, 1000)]
    return BPETokenizer.train(
        texts, 2000, pattern=PIECES, special_tokens=[END], workers=1
    )
