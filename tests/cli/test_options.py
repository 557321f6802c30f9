"""What the commands share: input, and a bar."""

import io
import json
import sys

import pytest

from scratchlm.cli.options import Reading, beside, say, watched
from scratchlm.text.corpora.records import Record


def texts(again):
    return [record.text for record in again()]


def test_the_bar_counts_bytes_and_changes_nothing(capsys):
    """A bar that counts characters, or swallows a document."""
    some = ["é" * 500, "x" * 24]
    assert list(watched(some, "some", True, total=1024)) == some
    shown = capsys.readouterr()
    assert "some: 100%" in shown.err
    assert "1.02k" in shown.err
    assert list(watched(some, "some", False)) == some
    assert capsys.readouterr().err == ""


def test_words_to_the_user_stay_out_of_the_pipe(capsys):
    """A report between two documents."""
    say("done")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "done\n")


def test_files_are_read_twice_and_a_pipe_is_kept(tmp_path, monkeypatch):
    """The second reading of a pipe finds nothing; the copy stays behind."""
    path = tmp_path / "a.txt"
    path.write_text("one")
    with Reading(paths=(str(path),)).twice() as again:
        assert texts(again) == texts(again) == ["one"]

    class Stdin:
        buffer = io.BytesIO(json.dumps({"body": "two"}).encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Reading(paths=("-", str(path)), column="body").twice() as again:
        assert texts(again) == texts(again) == ["two", "one"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_no_path_is_a_mistake():
    """A command that waits for a keyboard nobody uses."""
    with (
        pytest.raises(ValueError, match="nothing to read"),
        Reading(paths=()).records(),
    ):
        pass


def test_a_fault_ends_the_run_and_names_the_option(tmp_path):
    """A run of hours that ends, and nobody says that it need not."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": null}\n{"text": "two"}\n')
    with (
        pytest.raises(ValueError, match=r"line 2 of .*--on-error skip"),
        Reading(paths=(str(path),)).records() as records,
    ):
        list(records)


def test_what_is_skipped_is_counted_once_and_listed(
    tmp_path, capsys, monkeypatch
):
    """Two readings that count each bad record twice; a pipe whose faults
    are forgotten when its copy is read."""
    lines = '{"text": "one"}\n{"text": null}\n[1]\n'
    path = tmp_path / "a.jsonl"
    path.write_text(lines)

    class Stdin:
        buffer = io.BytesIO(lines.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    for name, place in [(str(path), "a.jsonl"), ("-", "standard input")]:
        reading = Reading(paths=(name,), on_error="skip")
        with reading.twice() as again:
            assert texts(again) == texts(again) == ["one"]
        told = capsys.readouterr().err.splitlines()
        assert told[0] == "2 records skipped"
        assert f"line 2 of {place}" in told[1].replace(f"{tmp_path}/", "")
        assert len(told) == 3


def test_a_run_that_skips_all_is_a_mistake(tmp_path):
    """A column's name with a slip, and an empty corpus that looks done."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "one"}\n' * 3)
    with (
        pytest.raises(ValueError, match=r"no record .* no column 'text'"),
        Reading(paths=(str(path),), on_error="skip").records() as records,
    ):
        list(records)


def test_files_that_are_left_out_are_told(tmp_path, capsys):
    """A folder of which half is skipped without a word."""
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.csv").write_text("two")
    with Reading(paths=(str(tmp_path),)).records() as records:
        assert [record.text for record in records] == ["one"]
    assert "1 of 2 files left out" in capsys.readouterr().err


def test_results_stay_beside_their_records():
    """A function that reads ahead, and results that slip by a place."""

    def by_twos(texts):
        for pair in zip(texts, texts, strict=True):
            yield from (text.upper() for text in pair)

    records = [Record(text, {"id": text}) for text in "abcdef"]
    for record, result in beside(records, by_twos):
        assert result == record.text.upper() == record.fields["id"].upper()
