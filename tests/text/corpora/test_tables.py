"""Records of any shape as one table."""

import datetime

import pyarrow.parquet
import pytest

from scratchlm.text.corpora.reading import ROWS, records_of
from scratchlm.text.corpora.records import Record
from scratchlm.text.corpora.writing import write_records


def back(path, column="text"):
    return [record.fields for record in records_of(path, column)]


def test_columns_may_come_late(tmp_path):
    """A schema of the first thousand rows, in which a field was null or
    absent, refuses the rest after hours."""
    early = [{"text": "a", "n": None, "m": {"x": 1}}] * ROWS
    late = [{"text": "b", "n": 2.5, "url": "u", "m": {"x": 2, "y": "z"}}]
    more = [{"text": "c", "n": 3}] * (ROWS + 1)
    rows = early + late + more
    path = tmp_path / "a.parquet"
    records = [Record(row["text"], row) for row in rows]
    assert write_records(records, path) == len(rows)
    found = back(path)
    assert len(found) == len(rows)
    for row, other in zip(rows, found, strict=True):
        assert other["text"] == row["text"]
        assert other["n"] == row.get("n")
        assert other["url"] == row.get("url")
        m = row.get("m")
        assert other["m"] == (m and {"x": m["x"], "y": m.get("y")})
    assert [each.name for each in tmp_path.iterdir()] == ["a.parquet"]


def test_types_that_do_not_go_together_are_named(tmp_path):
    """An id that is a number here and a string there."""
    path = tmp_path / "a.parquet"
    for n in (1, ROWS):
        rows = [{"text": "a", "id": 1}] * n + [{"text": "b", "id": "x"}]
        with pytest.raises(ValueError, match=r"id.*write \.jsonl"):
            write_records([Record("a", row) for row in rows], path)
    for bad in ({}, 1 << 70):
        with pytest.raises(ValueError, match=r"write \.jsonl"):
            write_records([Record("a", {"text": "a", "meta": bad})], path)
    assert list(tmp_path.iterdir()) == []


def test_dates_survive_as_dates_or_as_text(tmp_path):
    """A time stamp that a table holds and JSON does not."""
    day = datetime.datetime(2024, 5, 6, 7, 8)
    table, lines = tmp_path / "a.parquet", tmp_path / "a.jsonl"
    fields = {"text": "a", "day": day}
    write_records([Record("a", fields)], table)
    assert back(table) == [fields]
    write_records(records_of(table, "text"), lines)
    assert back(lines) == [{"text": "a", "day": "2024-05-06T07:08:00"}]
    write_records([Record("a", {"text": "a", "raw": b"x"})], table)
    with pytest.raises(ValueError, match=r"document 1 .* JSON cannot hold"):
        write_records(records_of(table, "text"), lines)
    assert back(lines)[0]["day"] == "2024-05-06T07:08:00"


def test_a_table_within_a_field(tmp_path):
    """A dotted name that becomes a column with a dot."""
    path = tmp_path / "a.parquet"
    write_records(
        [Record("x", {"content": {"text": "", "n": 1}})], path, "content.text"
    )
    schema = pyarrow.parquet.read_schema(path)
    assert schema.names == ["content"]
    assert back(path, "content.text") == [{"content": {"text": "x", "n": 1}}]
