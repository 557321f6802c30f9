"""What several of these tests need."""

import json
import random

import pytest

from scratchlm.text.tinyworld.world import TinyWorld, WorldConfig


@pytest.fixture(scope="session")
def edited():
    """A JSON file's text with another value at one place, which is a path of
    keys and numbers; the empty path is the whole."""

    def text(path, place, value):
        document = {"": json.loads(path.read_text("utf-8"))}
        *parents, key = ["", *place.split("/")] if place else [""]
        parent = document
        for name in parents:
            parent = parent[int(name) if name.isdigit() else name]
        parent[int(key) if key.isdigit() else key] = value
        return json.dumps(document[""])

    return text


@pytest.fixture(scope="session")
def answers():
    """A world, and for many stories of one plot in it the text before the
    question, the question and the answer."""

    def of_plot(plot):
        world = TinyWorld(1, WorldConfig(plots=(plot,)))
        rng = random.Random(0)
        drawn = [world.sample(rng, ["story_question"]) for _ in range(200)]
        return world, [
            (d.text.partition("\nQuestion:")[0], d.question, d.answer)
            for d in drawn
        ]

    return of_plot
