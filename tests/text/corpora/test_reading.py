"""What each format holds, and what is wrong with a bad file, and where."""

import json
import sys

import pyarrow
import pyarrow.parquet
import pytest

from scratchlm.text.corpora import byte_streams
from scratchlm.text.corpora.faults import RecordError, Skipped
from scratchlm.text.corpora.reading import documents_of, records_of


def write_rows(path, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def test_a_plain_file_is_one_document(tmp_path):
    """Line ends of Windows lost, or the last line feed."""
    path = tmp_path / "a.md"
    path.write_bytes("# é\r\ntwo\n".encode())
    assert list(documents_of(path, "text")) == ["# é\r\ntwo\n"]
    path.write_bytes(b"")
    assert list(documents_of(path, "text")) == []


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
        (b"[", "line 2 .* not JSON: .*jq -c"),
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


def test_other_fields_come_along(tmp_path):
    """An id, an address and a licence that are lost with the first step."""
    rows = [
        {"id": 1, "text": "one", "meta": {"url": "u"}, "n": None},
        {"text": "two", "tags": ["a"], "id": 2},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(records_of(path, "text"))
    assert [record.fields for record in found] == rows
    assert [record.text for record in found] == ["one", "two"]
    assert all(r.fields == {} for r in records_of(path, "text", fields=False))
    path = tmp_path / "a.parquet"
    write_rows(path, id=[1, 2], text=["a", "b"])
    found = [record.fields for record in records_of(path, "text")]
    assert found == [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]


@pytest.mark.parametrize("fields", [True, False])
def test_a_field_within_a_field_is_named_with_dots(tmp_path, fields):
    """Dolma and others keep the text one level down; a column whose own name
    has a dot goes first."""
    rows = [
        {"content": {"text": "deep", "n": 1}, "a.b": "flat"},
        {"content": {"text": "two", "n": 2}, "a.b": "second"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = tmp_path / "a.parquet"
    write_rows(table, **{k: [row[k] for row in rows] for k in rows[0]})
    for each in (path, table):
        for column, texts in [
            ("content.text", ["deep", "two"]),
            ("a.b", ["flat", "second"]),
        ]:
            found = records_of(each, column, fields=fields)
            assert [record.text for record in found] == texts
        with pytest.raises(ValueError, match=r"it has .*'content\.text'"):
            list(records_of(each, "content.body", fields=fields))


def test_bad_records_can_be_skipped_and_are_listed(tmp_path):
    """One null among millions ends a run of hours."""
    path = tmp_path / "a.jsonl"
    bad = [
        b'{"text": null}', b'{"body": "x"}', b"[1]", b'{"text": "cut',
        b'{"text": "a\\ud83d"}', b'{"text": "\xe9"}',
    ]  # fmt: skip
    lines = [line for b in bad for line in (b, b'{"text": "good"}')]
    path.write_bytes(b"\n".join(lines))
    skipped = Skipped()
    found = list(records_of(path, "text", on_fault=skipped))
    assert [record.text for record in found] == ["good"] * len(bad)
    assert (skipped.records, skipped.files) == (len(bad), 0)
    for number, line in enumerate(skipped.lines()[1:]):
        assert line.startswith(f"  line {2 * number + 1}")
        assert "a.jsonl" in line


def test_bad_rows_of_a_table_can_be_skipped(tmp_path):
    """Null, and bytes that are half a character under the name of text: the
    library gives up on the whole batch."""
    path = tmp_path / "a.parquet"
    half = pyarrow.array([b"one", b"\xed\xa0\xbd", None, b"four"]).view("utf8")
    write_rows(path, text=half, id=[1, 2, 3, 4])
    skipped = Skipped()
    for fields in (True, False):
        skipped.begin()
        found = records_of(path, "text", fields=fields, on_fault=skipped)
        assert [record.text for record in found] == ["one", "four"]
        assert skipped.records == 2
        assert "row 2 of" in skipped.lines()[1]
        assert "not UTF-8" in skipped.lines()[1]
        assert "row 3 of" in skipped.lines()[2]
    with pytest.raises(RecordError, match=r"row 2 .* not UTF-8"):
        list(documents_of(path, "text"))


def test_a_damaged_file_can_be_left_where_it_breaks(tmp_path):
    """A run that ends at the one bad archive of nine hundred, or that hides
    what it lost."""
    import gzip

    whole = b'{"text": "good"}\n' * 20_000
    packed = gzip.compress(whole)
    cut, good = tmp_path / "a.jsonl.gz", tmp_path / "b.txt"
    cut.write_bytes(packed[: len(packed) // 2])
    good.write_text("end")
    skipped = Skipped()
    found = [
        record.text
        for path in (cut, good)
        for record in records_of(path, "text", on_fault=skipped)
    ]
    assert 1000 < len(found) < 20_001
    assert set(found[:-1]) == {"good"}
    assert found[-1] == "end"
    assert skipped.files == 1
    assert "cut short" in "\n".join(skipped.lines())


def test_a_table_under_another_kind_of_data_is_named(tmp_path):
    """'Parquet magic bytes not found', and it is an archive."""
    import gzip

    path = tmp_path / "a.parquet"
    path.write_bytes(gzip.compress(b'{"text": "one"}'))
    with pytest.raises(ValueError, match=r"a\.parquet holds gzip data"):
        list(documents_of(path, "text"))
