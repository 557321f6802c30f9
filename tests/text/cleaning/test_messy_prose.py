"""The sentences of the messy pages."""

from itertools import chain
from string import Formatter

from scratchlm.text.cleaning.messy_prose import FOREIGN, TEASERS, TOPICS


def test_a_topic_has_enough_to_say():
    """A page that has to repeat a sentence, and is rejected for it."""
    for sentences in TOPICS.values():
        assert len(set(sentences)) == len(sentences) >= 12
    assert len(set(TEASERS)) == len(TEASERS) >= 7
    assert all(len(lines) >= 8 for lines in FOREIGN.values())


def test_only_known_blanks_are_left_open():
    """A blank that no page fills."""
    for sentence in chain(*TOPICS.values()):
        blanks = {name for _, name, _, _ in Formatter().parse(sentence)}
        assert blanks <= {None, "place", "name", "month", "n"}


def test_sentences_end():
    """A good page that a rule on the ends of lines cuts to pieces."""
    for sentence in chain(*TOPICS.values(), *FOREIGN.values()):
        assert sentence.endswith(".")


def test_each_topic_can_be_mangled():
    """Pages of mojibake on which there is nothing to repair."""
    for sentences in TOPICS.values():
        assert not "".join(sentences).isascii()
