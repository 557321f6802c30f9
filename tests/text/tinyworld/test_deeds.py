"""Phrases for deeds."""

from scratchlm.text.tinyworld.deeds import DEEDS
from scratchlm.text.tinyworld.phrases import WORDS


def test_no_list_hides_another():
    """A list of one name in two modules, of which one is never used."""
    assert not set(DEEDS) & set(WORDS)
    assert all(phrases.isascii() for phrases in DEEDS.values())
