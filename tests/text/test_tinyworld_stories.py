"""Who can have a story."""

import random

from scratchlm.text.tinyworld import TinyWorld, WorldConfig


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
