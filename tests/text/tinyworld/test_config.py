"""A configuration that cannot work is named before it is used."""

import pytest

from scratchlm.text.tinyworld.config import DOCUMENT_KINDS, WorldConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"story": -1}, "weights"),
        (dict.fromkeys(DOCUMENT_KINDS, 0), "one of them above"),
        ({"plots": ("lost", "war")}, "war.*names among lost"),
        ({"plots": ("journey",)}, "journey alone"),
        ({"plots": ()}, "plots is"),
        ({"n_digits": ()}, "n_digits is"),
        ({"n_digits": (0,)}, "from 1 to"),
        ({"n_digits": (9,)}, "from 1 to"),
        ({"n_digits": (2, 2)}, "once"),
        ({"passing": -1}, "passing is -1; give at least 0"),
        ({"max_forms": 0}, "max_forms is 0; give at least 1"),
        ({"max_alternatives": 0}, "max_alternatives is 0"),
        ({"n_people": 2}, "n_people is 2.*6"),
        ({"n_things": 1000}, "n_things is 1000"),
    ],
)
def test_bad_numbers_are_named(changes, message):
    """An IndexError from the depths of a plot, or a story without a hero."""
    with pytest.raises(ValueError, match=message):
        WorldConfig(**changes)


def test_weights_stand_in_the_order_of_the_kinds():
    """The weight of stories given to sums."""
    config = WorldConfig(story=5, sum_question=7)
    weights = dict(zip(DOCUMENT_KINDS, config.weights, strict=True))
    assert (weights["story"], weights["sum_question"]) == (5, 7)
