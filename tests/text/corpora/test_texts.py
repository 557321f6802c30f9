"""Files and folders into texts, and texts into files."""

import io
import sys

import pytest

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.corpora.texts import read_texts, write_texts


def test_folders_are_walked_in_the_order_of_their_paths(tmp_path):
    """The order of the file system differs between machines; hidden files
    are what editors and unfinished writes leave."""
    for name in ["b/x.txt", "b/a.md", "a.jsonl", ".git/x.txt", ".x.txt"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"text": "a.jsonl"}' if name.endswith("l") else name)
    (tmp_path / "picture.png").write_bytes(b"\xff")
    (tmp_path / "c.txt").mkdir()
    assert list(read_texts(tmp_path)) == ["a.jsonl", "b/a.md", "b/x.txt"]
    two = [str(tmp_path / "b" / "x.txt"), tmp_path / "a.jsonl"]
    assert list(read_texts(two)) == ["b/x.txt", "a.jsonl"]


def test_a_bad_path_is_refused_before_the_first_document(tmp_path):
    """Hours of reading, and then the last name has a slip."""
    good = tmp_path / "good.txt"
    good.write_text("good")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "x.png").write_bytes(b"")
    for bad, message in [
        (tmp_path / "none.txt", "does not exist"),
        (empty, "none of its 1 entries ends in .txt"),
        (tmp_path / "empty" / "x.png", "cannot tell from its name"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_texts([good, bad])
    with pytest.raises(ValueError, match="nothing to read"):
        read_texts([])


def test_what_is_written_is_read_back(tmp_path):
    """The two halves of one promise, by the names that pages use."""
    texts = list(python_docs(50_000))
    for name in ["a.jsonl.gz", "a.parquet"]:
        path = tmp_path / name
        assert write_texts(texts, path, "body") == len(texts)
        assert list(read_texts(path, "body")) == texts
    with pytest.raises(ValueError, match="one string"):
        write_texts("text", tmp_path / "a.txt")


def test_standard_input_is_json_lines(monkeypatch):
    """A pipe is read as one document."""

    class Stdin:
        buffer = io.BytesIO(b'{"text": "a"}\n{"text": "b"}\n')

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert list(read_texts("-")) == ["a", "b"]
