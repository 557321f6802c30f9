"""What the commands share: input, and a bar."""

import io
import json
import sys

import pytest

from scratchlm.cli.options import Reading, say, watched


def test_the_bar_counts_bytes_and_changes_nothing(capsys):
    """A bar that counts characters, or swallows a document."""
    texts = ["é" * 500, "x" * 24]
    assert list(watched(texts, "some", True, total=1024)) == texts
    shown = capsys.readouterr()
    assert "some: 100%" in shown.err
    assert "1.02k" in shown.err
    assert list(watched(texts, "some", False)) == texts
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
        assert list(again()) == list(again()) == ["one"]

    class Stdin:
        buffer = io.BytesIO(json.dumps({"body": "two"}).encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Reading(paths=("-", str(path)), column="body").twice() as again:
        assert list(again()) == list(again()) == ["two", "one"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_no_path_is_a_mistake():
    """A command that waits for a keyboard nobody uses."""
    with pytest.raises(ValueError, match="nothing to read"):
        Reading(paths=()).texts()
