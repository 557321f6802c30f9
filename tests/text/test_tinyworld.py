"""The world: exact probabilities, verdicts and answers."""

import pytest

from scratchlm.text.tinyworld import TinyWorld

WORLD = TinyWorld()


def test_reading_gives_the_probability_of_writing():
    """A choice that is counted when it is drawn and not when it is read."""
    for document in WORLD.documents(seed=1, n=200):
        found = WORLD.log_prob(document.text)
        assert found == pytest.approx(document.log_prob, abs=1e-9)
