"""Plots: what is told can be read, and who can have a story."""

import random

import pytest

from scratchlm.text.tinyworld.stories.plots import PLOTS
from scratchlm.text.tinyworld.world import TinyWorld, WorldConfig


@pytest.mark.parametrize("plot", PLOTS)
def test_every_way_through_a_plot_is_read_back(plot):
    """A turn of the story that is written one way and read another."""
    # Not everyone has someone to visit, so a journey needs another plot.
    plots = ("afraid", plot) if plot == "journey" else (plot,)
    config = WorldConfig(plots=plots, facts=0, sum=0, sum_question=0)
    world, rng = TinyWorld(1, config), random.Random(0)
    asked = set()
    for _ in range(60):
        document = world.sample(rng, ["story", "story_question"])
        found = world.log_prob(document.text)
        assert found == pytest.approx(document.log_prob, abs=1e-9)
        asked.add(document.question)
    assert len(asked) > 5


@pytest.mark.untraced
def test_every_line_is_told():
    """A sentence that nobody ever reads, since no plot tells it."""
    told = set()

    class Lines(dict):
        def __getitem__(self, name):
            told.add(name)
            return super().__getitem__(name)

    world = TinyWorld(0)
    world.narrator.lines = Lines(world.narrator.lines)
    for _ in world.documents(0, 3000):
        pass
    assert told == set(world.narrator.lines)


def test_who_has_no_sibling_makes_no_journey():
    """A visit to nobody, or to the town where one lives."""
    config = WorldConfig(n_people=7, plots=("journey", "afraid"))
    world, rng = TinyWorld(0, config), random.Random(0)
    people = world.narrator.world.kinds["person"].values
    (alone,) = [p.name for p in people if "sibling" not in p.links]
    stories = [world.sample(rng, ["story"]).text for _ in range(150)]
    travel = [s for s in stories if "brother" in s or "sister" in s]
    assert travel
    own = [s for s in stories if alone in s.split(".")[0]]
    assert own
    assert not set(own) & set(travel)


def test_journeys_need_two_towns():
    """A journey to the town one lives in."""
    config = WorldConfig(n_towns=1, plots=("journey", "afraid"))
    for document in TinyWorld(0, config).documents(0, 50):
        assert "visit" not in document.text
