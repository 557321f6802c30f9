"""Documents from wherever they are, each with what its task needs."""

import json
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest

from scratchlm.evaluation.multiple_choice.documents import (
    Drawn,
    check_columns,
    read_documents,
)
from scratchlm.text.corpora.public_data import HubDataset

ROWS = [{"q": f"é {i}?", "choices": ["a", "b"], "gold": i % 2} for i in (0, 1)]
HUB = HubDataset(
    name="mine", repository="me/mine", revision="0" * 40, column="q"
)


@pytest.fixture
def jsonl(tmp_path):
    path = tmp_path / "mine" / "a.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_every_source_gives_the_same(jsonl, tmp_path):
    """A list of choices that comes back as its text, a number as a string,
    or another order."""
    parquet = tmp_path / "b.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), parquet)
    drawn = Drawn(name="mine", revision="1", draw=lambda: ROWS)
    for source in (jsonl, str(jsonl), parquet, drawn):
        assert read_documents(source, ["q", "gold"]) == ROWS
    assert read_documents(HUB, ["q"], folder=tmp_path) == ROWS
    assert read_documents(jsonl, ["q"], limit=1) == ROWS[:1]


def test_a_missing_column_is_named(jsonl, tmp_path):
    """A KeyError after an hour, or one that does not say what there is."""
    with pytest.raises(ValueError, match=r"0 of .*no column 'answer'.*'gold'"):
        read_documents(jsonl, ["q", "answer"])
    with pytest.raises(ValueError, match=r"no column 'question'; .*'gold'"):
        read_documents(jsonl, ["question"])
    other = replace(HUB, column="text")
    with pytest.raises(ValueError, match=r"no column 'text'; .*'gold'"):
        read_documents(other, ["q"], folder=tmp_path)
    with pytest.raises(ValueError, match="document 3 has no column 'b'"):
        check_columns({"a": 1}, ["a", "b"], "document 3")


def test_what_cannot_be_read(jsonl, tmp_path):
    """An empty test that scores nothing."""
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ValueError, match="holds no document"):
        read_documents(tmp_path / "empty.jsonl", ["q"])
    with pytest.raises(ValueError, match="limit is 0"):
        read_documents(jsonl, ["q"], limit=0)
    with pytest.raises(ValueError, match="columns is empty"):
        read_documents(jsonl, [])
    with pytest.raises(ValueError, match="columns is one string"):
        read_documents(jsonl, "q")
    with pytest.raises(ValueError, match="does not exist"):
        read_documents(tmp_path / "none.jsonl", ["q"])
