"""The words that worlds choose from."""

from scratchlm.text.tinyworld import words


def test_names_are_distinct():
    """One name for two people, so that a text has two readings."""
    for names in (
        words.GIRLS + words.BOYS, words.TOWNS, words.THINGS, words.SHOPS,
        words.ANIMALS, words.FOODS, words.BEDS, words.LANDMARKS, words.WORK,
        tuple(name for name, _ in words.PLACES),
    ):  # fmt: skip
        assert len(set(names)) == len(names) > 5
        assert all(name.isascii() for name in names)


def test_pronouns_have_the_same_cases():
    """A story that breaks off at the first girl or boy."""
    assert set(words.HE) == set(words.SHE)
