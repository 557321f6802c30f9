"""What several of these tests need."""

import random

import pytest

from scratchlm.text.tinyworld import TinyWorld, WorldConfig


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
