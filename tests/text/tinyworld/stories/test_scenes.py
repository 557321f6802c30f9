"""What stories share: their close, and what is asked."""

import random
import re
from functools import cache

import pytest

from scratchlm.text.tinyworld.world import TinyWorld, WorldConfig


@cache
def world():
    return TinyWorld()


@pytest.mark.untraced
def test_answers_agree_with_the_state():
    """A holder who gave the thing away."""
    rng = random.Random(0)
    places, things = 0, 0
    for _ in range(300):
        document = world().sample(rng, kinds=["story_question"])
        has = document.state.get("has", {})
        at = document.state.get("at", {})
        if asked := re.fullmatch(
            r"(?:Who has|In whose hands is) the (.+?)"
            r"(?: now| in the end| at the end)\?",
            document.question,
        ):
            assert has[asked[1]] == document.answer
            things += 1
        elif asked := re.match(r"Where is (\w+)", document.question):
            assert document.answer.lower().endswith(at[asked[1]])
            places += 1
    assert min(things, places) > 10


@pytest.mark.untraced
def test_passing_makes_stories_longer():
    """A setting that changes nothing."""
    sizes = []
    for passing in (0, 3):
        config = WorldConfig(passing=passing, plots=("hungry",))
        rng, world = random.Random(0), TinyWorld(0, config)
        stories = [world.sample(rng, ["story"]).text for _ in range(300)]
        sizes.append(sum(map(len, stories)) / len(stories))
    assert sizes[1] > sizes[0] + 20
