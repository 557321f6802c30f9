"""Facts that hold together."""

import pytest

from scratchlm.text.tinyworld.setting import Size, World


def only(entity, link):
    (value,) = entity.links[link].values
    return value


@pytest.mark.parametrize("seed", range(3))
def test_siblings_are_mutual_and_live_apart(seed):
    """A sister whose brother is someone else's, or a journey next door."""
    world = World(seed, Size(n_people=9))
    people = world.kinds["person"].values
    alone = [p for p in people if "sibling" not in p.links]
    assert len(alone) == 1
    for person in set(people) - set(alone):
        sibling = only(person, "sibling")
        assert only(sibling, "sibling") is person
        assert only(sibling, "home") is not only(person, "home")


def test_the_parts_of_a_story_are_different_people():
    """A helper who is the friend, or the neighbour, or the hero."""
    for person in World(0, Size(n_people=6)).kinds["person"].values:
        cast = [person, only(person, "sibling")]
        for link in ("friends", "helpers", "neighbours"):
            cast += person.links[link].values
        assert len(set(cast)) == len(cast) >= 5


def test_north_and_east_agree_with_a_map():
    """Towns that lie north of each other in a circle."""
    world = World(0, Size())
    towns = world.kinds["town"].values
    for i, town in enumerate(towns):
        if "north" in town.links:
            assert only(town, "north") is towns[i - 3]
        if "east" in town.links:
            assert i % 3 < 2
            assert only(town, "east") is towns[i + 1]
