"""A text and what came with it."""

import pytest

from scratchlm.text.corpora.records import Record, text_in


def test_the_text_goes_back_where_it_was():
    """A cleaned text beside the old one, or a record changed under the
    hands of its owner."""
    fields = {"id": 1, "content": {"text": "old", "n": 2}, "z": 0}
    row = Record("new", fields).row("content.text")
    assert row == {"id": 1, "content": {"text": "new", "n": 2}, "z": 0}
    assert list(row) == list(fields)
    assert fields["content"]["text"] == "old"
    assert Record("new").row("a.b.c") == {"a": {"b": {"c": "new"}}}
    assert Record("new", {"a.b": "old"}).row("a.b") == {"a.b": "new"}
    assert Record("old", fields).with_text("new").fields is fields


def test_a_way_through_a_text_leads_nowhere():
    """A TypeError out of a dictionary."""
    with pytest.raises(ValueError, match="cannot put a text under 'b'"):
        Record("new", {"a": "text"}).row("a.b")
    with pytest.raises(ValueError, match=r"no column 'a.b'; it has 'a'"):
        text_in({"a": "text"}, "a.b", "line 1")
