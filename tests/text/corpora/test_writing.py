"""The whole file or the old one, and the same texts back."""

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.reading import documents_of
from scratchlm.text.corpora.writing import write_documents

FORMS = [
    *("a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson", "a.parquet"),
    *("a.txt", "a.txt.gz", "a.txt.zst"),
]
TEXTS = ["", "one", "two\n", "\n", "\r\n é 🙂 \u2028 \x00", "", "x" * 99_999]


@pytest.mark.parametrize("name", FORMS)
def test_texts_come_back_equal(tmp_path, name):
    """An empty text, a line end or a strange character lost on the way."""
    path = tmp_path / name
    assert write_documents(iter(TEXTS), path, "body") == len(TEXTS)
    assert list(documents_of(path, "body")) == TEXTS
    first = path.read_bytes()
    write_documents(TEXTS, path, "body")
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o644
    assert write_documents([], path, "body") == 0
    assert list(documents_of(path, "body")) == []
    assert [each.name for each in tmp_path.iterdir()] == [name]


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(st.text()))
def test_any_texts_come_back_equal(tmp_path, texts):
    """A byte order mark is a character here, except at the very start of a
    file, where Windows writes it."""
    for name in ["a.jsonl", "a.parquet", "a.txt"]:
        path = tmp_path / name
        write_documents(texts, path, "text")
        expected = list(texts)
        if name == "a.txt" and texts:
            expected[0] = expected[0].removeprefix("\ufeff")
        assert list(documents_of(path, "text")) == expected


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("problem", ["source", "text"])
def test_an_error_leaves_the_old_file(tmp_path, name, problem):
    """Half a corpus under the name of the whole one."""
    path = tmp_path / name
    write_documents(["old"], path, "text")

    def failing():
        yield "new"
        if problem == "source":
            raise OSError(28, "No space left on device")
        yield "half \ud83d"

    match = "No space" if problem == "source" else "document 2 .* U.D83D"
    with pytest.raises((OSError, ValueError), match=match):
        write_documents(failing(), path, "text")
    assert list(documents_of(path, "text")) == ["old"]
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_mark_in_a_text_is_refused(tmp_path):
    """One document becomes two when the file is read."""
    path = tmp_path / "a.txt"
    with pytest.raises(ValueError, match=r"document 2 .* write \.jsonl"):
        write_documents(["fine", "a <|endoftext|> b"], path, "text")
    assert not path.exists()


def test_only_what_holds_many_documents_is_written(tmp_path):
    """A folder for a file, a folder that is not there, a single page."""
    for name, match in [
        ("a.md", r"a \.md file holds one; write \.jsonl"),
        ("a.pdf", "cannot tell from its name"),
        ("none/a.txt", "has no folder"),
    ]:
        with pytest.raises(ValueError, match=match):
            write_documents(["x"], tmp_path / name, "text")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        write_documents(["x"], tmp_path / "b.txt", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["b.txt"]


def test_standard_output_gets_json_lines(monkeypatch):
    """A pipe between two commands that loses where documents end."""

    class Stdout:
        buffer = io.BytesIO()

    monkeypatch.setattr(sys, "stdout", Stdout)
    assert write_documents(["a\nb", "é"], Path("-"), "text") == 2
    rows = Stdout.buffer.getvalue().splitlines()
    assert [json.loads(row)["text"] for row in rows] == ["a\nb", "é"]
