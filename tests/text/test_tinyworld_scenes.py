"""What stories share: their close, and what is asked."""

import random
import re

from scratchlm.text.tinyworld import TinyWorld, WorldConfig

WORLD = TinyWorld()


def test_answers_agree_with_the_state():
    """A holder who gave the thing away."""
    rng = random.Random(0)
    places, things = 0, 0
    for _ in range(300):
        document = WORLD.sample(rng, kinds=["story_question"])
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


def test_passing_makes_stories_longer():
    """A setting that changes nothing."""
    sizes = [
        TinyWorld(0, WorldConfig(passing=passing, facts=0, sum=0))
        .entropy_per_byte(300)
        .bytes_per_document
        for passing in (0, 3)
    ]
    assert sizes[1] > 1.02 * sizes[0]
