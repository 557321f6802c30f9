"""The world's own surprise, character by character."""

import math
from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from scratchlm.evaluation.perplexity.world_surprise import (
    KNOWLEDGE,
    Surprise,
    by_token,
    world_surprise,
)
from scratchlm.text.tinyworld import TinyWorld, WorldConfig

TINY = {
    "n_people": 6, "n_towns": 2, "n_things": 3, "n_places": 3, "n_shops": 1,
    "n_animals": 1, "n_foods": 2, "n_nooks": 1, "n_digits": (1,),
    "passing": 0, "max_forms": 2, "max_alternatives": 2,
}  # fmt: skip


@cache
def world():
    return TinyWorld(0)


def shown(surprise, text, label):
    """The pieces of a text that ask for one kind of knowledge."""
    number = KNOWLEDGE.index(label)
    marked = zip(text, surprise.labels, strict=False)
    kept = "".join(c if each == number else "\n" for c, each in marked)
    return [piece for piece in kept.split("\n") if piece]


@pytest.mark.untraced
@pytest.mark.parametrize(
    "changes",
    [
        {
            **{"story": 0, "story_question": 0, "max_forms": 1},
            **{"sum": 0, "sum_question": 0, "max_alternatives": 1},
        },
        {"story": 0, "story_question": 0, "facts": 0},
    ],
)
def test_it_is_the_conditional_probability(changes):
    """A choice that is charged where it is made, and not where the text
    first shows it. All documents are listed, and the probability of each
    beginning is a sum over those that begin so."""
    small = TinyWorld(3, WorldConfig(**{**TINY, **changes}))
    every = list(small.enumerate())
    begin = defaultdict(float)
    for document in every:
        for n in range(len(document.text) + 1):
            begin[document.text[:n]] += math.exp(document.log_prob)
    for document in every[:: len(every) // 40]:
        text = document.text
        found = world_surprise(small, text).nats
        chain = [-math.log(begin[text[:n]]) for n in range(len(text) + 1)]
        # What one sentence leaves open is paid at the next one's first
        # character, which may be early.
        gap = chain[1:] - np.cumsum(found)[:-1]
        assert gap.max() < 1e-9
        late = np.flatnonzero(np.abs(gap) > 1e-9)
        assert all("Question: " in text[: at + 1] for at in late)
        assert found.sum() == pytest.approx(-document.log_prob, abs=1e-9)


def test_it_adds_up_to_the_document():
    """A choice that no character shows, or that two do."""
    for document in world().documents(5, 40):
        found = world_surprise(world(), document.text)
        assert found.nats.sum() == pytest.approx(-document.log_prob)
        assert found.nats.min() > -1e-9
        assert len(found.nats) == len(found.labels) == len(document.text) + 1


def test_what_a_story_asks():
    """A name that was just drawn taken for one that was told, or a town
    that is true of the world for a draw."""
    document = next(
        d for d in world().documents(7_000_000) if d.kind == "story"
    )
    found = world_surprise(world(), document.text)
    hero = document.text.split()[0]
    assert shown(found, document.text, "draws")[0] == hero
    assert shown(found, document.text, "facts") == ["Fernhill"]
    assert hero in shown(found, document.text, "memory")
    assert shown(found, document.text, "arithmetic") == []
    facts = np.array(found.labels) == KNOWLEDGE.index("facts")
    assert found.nats[facts].sum() == 0


def test_what_a_sum_asks():
    """A digit that is copied taken for one that is worked out."""
    text = (
        "39 + 380\n9 + 0 = 9. Write 9.\n3 + 8 = 11. Write 1, carry 1.\n"
        "0 + 3 + 1 = 4. Write 4.\nSo 39 + 380 = 419."
    )
    found = world_surprise(world(), text)
    assert shown(found, text, "draws") == ["39", "380"]
    worked = ["9", "9", "11", "1", "4", "4", "419"]
    assert shown(found, text, "arithmetic") == worked
    copied = ["9", "0", "3", "8", "0", "3", "39", "380"]
    assert shown(found, text, "memory") == copied
    open_ = np.array(found.labels) == KNOWLEDGE.index("draws")
    assert found.nats[open_].sum() > 0.7 * found.nats.sum()
    assert found.nats[text.index("\n") :].sum() == pytest.approx(0)


def test_tokens_are_made_of_characters():
    """The end of a text is a token without characters; a word begins with
    the space before it, and asks what the word asks."""
    surprise = Surprise(np.array([1.0, 2.0, 4.0, 8.0]), [0, 0, 3, 0])
    nats, labels = by_token(surprise, [1, 2])
    assert nats.tolist() == [1.0, 6.0, 8.0]
    assert labels == [0, 3, 0]
    with pytest.raises(ValueError, match="have 4 characters, and the text 3"):
        by_token(surprise, [1, 3])


def test_what_the_world_cannot_say():
    """An infinite cost that is spread over nothing."""
    with pytest.raises(ValueError, match="no document of this world"):
        world_surprise(world(), "9 + 9 = 19.")
