"""Documents and who tells them."""

import random

import pytest

from scratchlm.text.tinyworld.config import DOCUMENT_KINDS
from scratchlm.text.tinyworld.narrator import Document
from scratchlm.text.tinyworld.world import TinyWorld, WorldConfig


def test_a_prompt_ends_where_the_answer_begins():
    """A prompt that gives its answer away."""
    document = Document("Question: 1?\nAnswer: 2.", "x", 0.0, {}, "1?", "2")
    assert document.prompt == "Question: 1?\nAnswer:"
    assert Document("The end.", "story", 0.0).prompt is None


@pytest.mark.untraced
def test_kinds_come_as_often_as_their_weights():
    """A mixture other than the configured one."""
    world = TinyWorld(0, WorldConfig(story=1, facts=3, sum_question=0))
    rng, n = random.Random(0), 3000
    counts = dict.fromkeys(DOCUMENT_KINDS, 0)
    for _ in range(n):
        counts[world.sample(rng).kind] += 1
    weights = world.config.weights
    for kind, weight in zip(DOCUMENT_KINDS, weights, strict=True):
        assert abs(counts[kind] / n - weight / sum(weights)) < 0.04


def test_what_is_never_told_cannot_be_read():
    """A probability for a kind of document with weight zero."""
    told = TinyWorld(0)
    untold = TinyWorld(0, WorldConfig(story=0, sum=0))
    rng = random.Random(0)
    for kind in ("story", "sum"):
        text = told.sample(rng, kinds=[kind]).text
        assert told.check(text).ok
        assert not untold.check(text).ok
