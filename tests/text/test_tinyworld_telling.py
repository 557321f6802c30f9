"""TinyWorld's telling."""

from scratchlm.text.tinyworld import TinyWorld


def test_documents_read_back():
    """A choice that the text does not show."""
    world = TinyWorld(1)
    for document in world.documents(1, 20):
        assert world.check(document.text).ok
