import numpy as np
import pytest
import torch

from scratchlm.book import glue as module
from scratchlm.book.glue import glue, table


def test_every_value_is_glued_silently_under_its_dashed_name(monkeypatch):
    """A key with an underscore cannot be told from a typo on the page, and
    a displayed value would show up as a second output of its cell."""
    seen = {}

    def record(name, value, display):
        seen[name] = (value, display)

    monkeypatch.setattr(module, "glue_one", record)
    glue(vocab_size=512, ratio=1.5)
    assert seen == {"vocab-size": (512, False), "ratio": (1.5, False)}


@pytest.mark.parametrize(
    "number", [np.float32(3.5), np.array(3.5), torch.tensor(3.5)]
)
def test_a_number_of_any_library_can_be_formatted(monkeypatch, number):
    """Glued as it prints, tensor(3.5), it stopped the exported notebooks
    with a message that named no page."""
    seen = {}
    monkeypatch.setattr(
        module, "glue_one", lambda name, value, display: seen.update(v=value)
    )
    glue(ratio=number)
    assert type(seen["v"]) is float
    assert seen["v"] == 3.5


def test_a_table_lines_up_its_numbers():
    """Numbers set flush left cannot be compared by eye."""
    shown = table(["units", "tokens"], [["words", 12], ["bytes", "3,400"]])
    assert shown.data.splitlines() == [
        "| units | tokens |",
        "| --- | ---: |",
        "| words | 12 |",
        "| bytes | 3,400 |",
    ]


def test_a_ragged_row_is_refused():
    """Markdown drops the cells that have no column, without a word."""
    with pytest.raises(ValueError, match="one cell for each column"):
        table(["a", "b"], [["1", "2", "3"]])
