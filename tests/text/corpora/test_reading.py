"""What each format holds, and what is wrong with a bad file, and where."""

import json
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.corpora import byte_streams
from scratchlm.text.corpora.reading import (
    MARK,
    READABLE,
    SEPARATOR,
    documents_of,
    format_of,
)


def write_rows(path, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def test_every_readable_suffix_has_a_format():
    """A suffix that the messages offer and the reader refuses."""
    for suffix in READABLE:
        assert suffix.startswith(format_of(Path(f"a.b{suffix.upper()}")))


@pytest.mark.parametrize(
    "name", ["a", "a.json", "a.gz", "a.parquet.gz", "a.txt.xz", ".txt", "a."]
)
def test_an_unknown_suffix_is_refused(name):
    """A guess reads a spreadsheet as prose."""
    with pytest.raises(ValueError, match=r"suffixes \.txt, .*\.parquet"):
        format_of(Path(name))


def test_a_plain_file_is_one_document(tmp_path):
    """Line ends of Windows lost, or the last line feed."""
    path = tmp_path / "a.md"
    path.write_bytes("# é\r\ntwo\n".encode())
    assert list(documents_of(path, "text")) == ["# é\r\ntwo\n"]
    path.write_bytes(b"")
    assert list(documents_of(path, "text")) == []


@given(
    st.lists(st.text(alphabet="ab\né<|")), st.booleans(), st.integers(1, 40)
)
def test_marks_separate_documents(texts, ends, size):
    """A separator that lies across two chunks is missed, and two stories
    become one."""
    data = SEPARATOR.join(texts) + (SEPARATOR if ends and texts else "")
    if not ends and texts and not texts[-1]:
        texts = texts[:-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_streams, "CHUNK", size)
        patch.setattr(
            byte_streams,
            "_raw_chunks",
            lambda path: (
                data.encode()[i : i + size]
                for i in range(0, len(data.encode()), size)
            ),
        )
        assert list(documents_of(Path("a.txt"), "text")) == texts


def test_a_last_mark_without_line_feed_is_no_text(tmp_path):
    """Editors drop the last line feed; the mark must not train."""
    path = tmp_path / "a.txt"
    path.write_text(f"one{SEPARATOR}two\n{MARK}")
    assert list(documents_of(path, "text")) == ["one", "two"]


def test_json_lines_give_their_column(tmp_path):
    """Blank lines, other fields and escapes are legal."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        '\ufeff{"id": 1, "body": "one"}\r\n\n  \n{"body": "\\u00e9\\n"}',
        "utf-8",
    )
    assert list(documents_of(path, "body")) == ["one", "é\n"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "cut', "line 2 .* not JSON: Unterminated string"),
        (b"[" * 100_000, "line 2 .* not JSON"),
        (b'["text"]', r"line 2 .* is '\[\"text\"\]'; each line is one obj"),
        (b'{"body": "x", "id": 1}', "no column 'text'; it has 'body', 'id'"),
        (b"{}", "no column 'text'; it has none"),
        (b'{"text": null}', "line 2 .* has 'None' under 'text'"),
        (b'{"text": "\xe9"}', "line 2, byte 10 .* is 0xe9, .* not UTF-8"),
        (b'{"text": "a\\ud83d"}', r"line 2 .* U\+D83D, at character 1"),
    ],
)
def test_a_bad_line_is_named_after_the_good_ones(tmp_path, line, message):
    """'Expecting value', in one of nine hundred files."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n' + line + b"\n")
    documents = documents_of(path, "text")
    assert next(documents) == "good"
    with pytest.raises(ValueError, match=message) as caught:
        next(documents)
    assert "a.jsonl" in str(caught.value)


def test_parquet_gives_its_column_in_order(tmp_path):
    """More rows than one batch, and text kept as a dictionary."""
    path = tmp_path / "a.parquet"
    texts = [f"é {i % 700}" for i in range(5000)]
    write_rows(path, id=list(range(5000)), body=texts)
    assert list(documents_of(path, "body")) == texts
    write_rows(path, body=pyarrow.array(texts).dictionary_encode())
    assert list(documents_of(path, "body")) == texts


def test_parquet_problems_are_placed(tmp_path):
    """'Parquet magic bytes not found' is not a sentence about a file."""
    path = tmp_path / "a.parquet"
    write_rows(path, body=["x"], id=[1])
    with pytest.raises(ValueError, match=r"no column 'text'; .* 'body', 'id'"):
        list(documents_of(path, "text"))
    with pytest.raises(ValueError, match=r"row 1 of .* has '1' under 'id'"):
        list(documents_of(path, "id"))
    write_rows(path, text=["good", None])
    documents = documents_of(path, "text")
    assert next(documents) == "good"
    with pytest.raises(ValueError, match=r"row 2 .* 'None' under 'text'"):
        next(documents)


def test_a_damaged_parquet_file_is_named(tmp_path):
    """Cut in transfer, or flipped in the middle of its rows."""
    path = tmp_path / "a.parquet"
    write_rows(path, text=[f"{i}" * 50 for i in range(9000)])
    whole = path.read_bytes()
    bad = [b"", b"text", whole[:-9], whole[: len(whole) // 2]]
    flipped = bytearray(whole)
    flipped[200:40_000:7] = bytes(len(range(200, 40_000, 7)))
    for data in [*bad, bytes(flipped)]:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.parquet is not a whole"):
            list(documents_of(path, "text"))


def test_a_closed_parquet_file_is_not_called_damaged(tmp_path, monkeypatch):
    """'Download it again' helps nobody who may not read it."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", refuse)
    with pytest.raises(PermissionError):
        list(documents_of(tmp_path / "a.parquet", "text"))


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    """A ModuleNotFoundError tells nobody what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ValueError, match=r"scratchlm\[data\]"):
        list(documents_of(tmp_path / "a.parquet", "text"))


def test_records_are_read_while_the_file_is(tmp_path, monkeypatch):
    """A reader that loads the file before it yields."""
    path = tmp_path / "a.jsonl"
    record = json.dumps({"text": "x" * 1000}) + "\n"
    path.write_text(record * 1000)
    read = []
    real = byte_streams._raw_chunks

    def counted(path):
        for chunk in real(path):
            read.append(chunk)
            yield chunk

    monkeypatch.setattr(byte_streams, "_raw_chunks", counted)
    next(documents_of(path, "text"))
    assert len(read) == 1
