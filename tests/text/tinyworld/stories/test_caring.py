"""Stories of help, fear and hunger."""

import re


def test_a_beast_eats_what_the_encyclopedia_says(answers):
    """A story that teaches another fact than the world's, so that no model
    can learn it."""
    world, asked = answers("hungry")
    animals = world.narrator.world.kinds["animal"].values
    foods = {x.name: x.links["food"].values[0].name for x in animals}
    eaten = [
        (found[1], answer.lower())
        for _, question, answer in asked
        if (found := re.match(r"What did the (\w+)", question))
    ]
    assert len(eaten) > 20
    assert all(foods[animal] == food for animal, food in eaten)
