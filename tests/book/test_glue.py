from scratchlm.book import glue as module
from scratchlm.book.glue import glue


def test_every_value_is_glued_silently_under_its_dashed_name(monkeypatch):
    """A key with an underscore cannot be told from a typo on the page, and
    a displayed value would show up as a second output of its cell."""
    seen = {}

    def record(name, value, display):
        seen[name] = (value, display)

    monkeypatch.setattr(module, "glue_one", record)
    glue(vocab_size=512, ratio=1.5)
    assert seen == {"vocab-size": (512, False), "ratio": (1.5, False)}
