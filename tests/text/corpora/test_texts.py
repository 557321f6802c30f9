"""Files and folders into texts, and texts into files."""

import io
import sys

import pytest

from scratchlm.text.corpora.faults import Skipped
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.corpora.texts import (
    list_files,
    read_records,
    read_texts,
    write_texts,
)
from scratchlm.text.corpora.writing import write_records


def test_folders_are_walked_in_the_order_of_their_paths(tmp_path):
    """The order of the file system differs between machines; hidden files
    are what editors and unfinished writes leave."""
    for name in ["b/x.txt", "b/a.md", "a.jsonl", ".git/x.txt", ".x.txt"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"text": "a.jsonl"}' if name.endswith("l") else name)
    (tmp_path / "picture.png").write_bytes(b"\xff")
    (tmp_path / "c.txt").mkdir()
    with pytest.warns(UserWarning, match=r"1 of 4 files .*picture\.png;"):
        texts = list(read_texts(tmp_path))
    assert texts == ["a.jsonl", "b/a.md", "b/x.txt"]
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


def test_files_that_are_left_out_are_named(tmp_path):
    """Half of a corpus under a name that nobody reads, without a word."""
    for name in ["a.txt", "b.csv", "c.docx", "sub/d.bin", ".hidden.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    listing = list_files(tmp_path)
    assert [path.name for path in listing.files] == ["a.txt"]
    assert "3 of 4 files left out" in listing.notice()
    with pytest.warns(UserWarning, match=r"b\.csv, .*c\.docx, .*d\.bin;"):
        assert list(read_texts(tmp_path)) == ["x"]
    for number in range(9):
        (tmp_path / f"e{number}.csv").write_text("x")
    assert "and 7 more" in list_files(tmp_path).notice()
    assert list_files(tmp_path / "a.txt").notice() == ""


def test_records_pass_with_their_fields(tmp_path):
    """A text that is cleaned and loses where it came from."""
    path = tmp_path / "a.jsonl"
    row = '{"id": "\\\\ud83d", "text": "one", "meta": {"n": 1.50}, "é": NaN}\n'
    path.write_text(row.replace("\\\\", "\\") * 2, "utf-8")
    out = tmp_path / "b.jsonl.gz"
    for source in (path, out):
        assert write_records(read_records(source), out) == 2
        (first, _) = read_records(out)
        assert first.text == "one"
        assert first.fields["id"] == "\ud83d"
        assert first.fields["meta"] == {"n": 1.5}
        assert list(first.fields) == ["id", "text", "meta", "é"]


def test_a_reader_can_go_on_behind_a_fault(tmp_path):
    """An option that reaches one of the two readers."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": null}\n{"text": "one"}\n')
    for read in (read_texts, read_records):
        skipped = Skipped()
        assert len(list(read(path, on_fault=skipped))) == 1
        assert skipped.records == 1
