"""Pages of facts, and questions about them."""

import random
from functools import cache

import pytest

from scratchlm.text.tinyworld.facts import ANSWERS, FACT_LINES
from scratchlm.text.tinyworld.setting import QUESTIONS
from scratchlm.text.tinyworld.world import TinyWorld


@cache
def world():
    return TinyWorld(2)


@pytest.mark.untraced
def test_pages_tell_what_is_true():
    """A page that contradicts the world it describes."""
    rng = random.Random(0)
    kinds = world().narrator.world.kinds
    by_name = {e.name: e for o in kinds.values() for e in o.values}
    seen = set()
    for _ in range(150):
        for relation, pairs in (
            world().sample(rng, kinds=["facts"]).state.items()
        ):
            seen.add(relation)
            for subject, told in pairs.items():
                links = by_name[subject].links
                assert [v.name for v in links[relation].values] == [told]
    assert {"home", "sibling", "shop", "food", "bed", "north"} <= seen


@pytest.mark.untraced
def test_each_question_has_its_answer():
    """A question that is asked and never answered."""
    assert set(ANSWERS) == set(QUESTIONS)
    names = set(FACT_LINES.split("\n"))
    for question, (_, _, answer) in ANSWERS.items():
        assert question in names
        assert f"{answer} /" in names
    rng = random.Random(1)
    asked = {
        world().sample(rng, kinds=["facts_question"]).question.split()[0]
        for _ in range(200)
    }
    assert {"Where", "Who", "What", "Which"} <= asked
