"""The same text on every run, and no more of it than asked."""

import io
import sys

import pytest

from scratchlm.text.corpora.texts import (
    python_docs,
    python_source,
    read_texts,
    write_texts,
)


def test_documents_are_the_same_each_time():
    """An order that depends on a set or on the file system."""
    for corpus in (python_docs, python_source):
        documents = list(corpus(300_000))
        assert documents == list(corpus(300_000))
        assert len(documents) > 3
        assert all(documents)


def test_limit_is_in_bytes():
    """A limit counted in characters, or overshot by one document."""
    for corpus in (python_docs, python_source):
        size = sum(len(text.encode()) for text in corpus(100_000))
        assert 20_000 < size <= 100_000
        assert not list(corpus(0))


def test_source_is_the_library_alone():
    """Twenty megabytes of the interpreter's own tests, or what a user
    installed, and another corpus on every machine."""
    source = list(python_source())
    assert sum(map(len, source)) > 5_000_000
    assert not any("class TestCase" in text[:10] for text in source)
    assert any("def nsmallest(" in text for text in source)
    assert sum(map(len, python_docs())) > 200_000


def test_files_that_are_not_utf8_are_left_out(tmp_path, monkeypatch):
    """One old file in Latin-1, and no corpus."""
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "b.py").write_text("skipped")
    (tmp_path / "a.py").write_bytes(b"caf\xe9")
    (tmp_path / "b.py").write_text("")
    (tmp_path / "c.py").write_text("kept")
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": tmp_path})
    assert list(python_source()) == ["kept"]


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
