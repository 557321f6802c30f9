"""Lists of phrases that fit one place."""

import pytest

from scratchlm.text.tinyworld.deeds import DEEDS
from scratchlm.text.tinyworld.phrases import WORDS


@pytest.mark.parametrize("name", [*WORDS, *DEEDS])
def test_each_phrase_stands_once(name):
    """A phrase given twice, which is twice as likely as it is counted."""
    phrases = {**WORDS, **DEEDS}[name].split("|")
    assert len(set(phrases)) == len(phrases) >= 4
    assert all(phrase == phrase.strip() != "" for phrase in phrases)


def test_articles_fit():
    """A old hat."""
    for phrase in WORDS["a_look"].split("|"):
        article, word = phrase.split(" ", 1)
        assert article == ("an" if word[0] in "aeiou" else "a")
