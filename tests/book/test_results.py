"""A number from elsewhere says where it comes from, or is refused."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from scratchlm.book import results
from scratchlm.book.results import Result, record, result
from scratchlm.foundation import durable

MEASURED = Result(
    value=3.25,
    unit="ms",
    device="NVIDIA H200",
    command="python benchmarks/model.py attention",
    commit="397fd32",
    date="2026-11-21",
)
PARTS = {
    "value": 3.25,
    "unit": "ms",
    "device": "NVIDIA H200",
    "command": "python benchmarks/model.py attention",
    "commit": "397fd32",
    "date": "2026-11-21",
}


@pytest.mark.parametrize(
    "value", [3.25, 7, {"1024": 0.5, "4096": 2}], ids=["one", "whole", "many"]
)
def test_what_is_recorded_is_what_is_read(tmp_path, value):
    """A number that changes on its way to the page."""
    measured = replace(MEASURED, value=value)
    path = record("attention-h200", measured, tmp_path / "results")
    assert path == tmp_path / "results" / "attention-h200.json"
    assert result("attention-h200", path.parent) == measured
    assert json.loads(path.read_text()) == PARTS | {"value": value}


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("value", float("nan")),
        ("value", float("inf")),
        ("value", True),
        ("value", "3.25"),
        ("value", {}),
        ("value", {"1024": None}),
        ("unit", " "),
        ("device", ""),
        ("command", None),
        ("commit", "main"),
        ("commit", "397fd32+"),
        ("commit", None),
        ("date", "21 November 2026"),
        ("date", "20261121"),
        ("date", "2026-02-30"),
        ("date", None),
    ],
)
def test_a_part_that_says_nothing_is_refused(tmp_path, part, bad):
    """A table with a number that nobody can measure again; "397fd32+" is a
    commit with changes that only one disk has."""
    (tmp_path / "x.json").write_text(json.dumps(PARTS | {part: bad}))
    with pytest.raises(ValueError, match=rf"x\.json: {part} is .*; give"):
        result("x", tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[1]", r"holds \[1\]; it must hold command, commit, date"),
        ('{"value": 1}', r"holds \['value'\]; it must hold"),
        (json.dumps(PARTS | {"seed": 1}), "'seed', 'unit'"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, complaint):
    """A misspelt key, silently without effect."""
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        result("x", tmp_path)


def test_an_unknown_name_lists_the_known(tmp_path):
    """A reader of the error should not have to look for the folder."""
    with pytest.raises(ValueError, match="there are: none"):
        result("x", tmp_path)
    record("attention-h200", MEASURED, tmp_path)
    with pytest.raises(ValueError, match=r"'x' in .*: attention-h200$"):
        result("x", tmp_path)


@pytest.mark.parametrize("name", ["../x", "X", "4090", "a_b", "a--b", ""])
def test_a_name_is_words(tmp_path, name):
    """A path in place of a name writes anywhere on the disk."""
    with pytest.raises(ValueError, match="not of the form"):
        record(name, MEASURED, tmp_path)
    with pytest.raises(ValueError, match="not of the form"):
        result(name, tmp_path)


def test_a_failed_write_keeps_the_old_number(tmp_path, monkeypatch):
    """Half a file stops every later build of the book."""

    def full(_):
        raise OSError("no space left")

    path = record("x", MEASURED, tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        record("x", replace(MEASURED, value=4), tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_result_cannot_be_changed():
    """A cell that improves its number on the way to the table."""
    several = {"1024": 0.5}
    measured = replace(MEASURED, value=several)
    several["1024"] = 0.1
    assert measured.value["1024"] == 0.5
    with pytest.raises(TypeError):
        measured.value["1024"] = 0.1
    with pytest.raises(FrozenInstanceError):
        measured.value = 0.1


def test_the_folder_is_that_of_the_book():
    """A default that points beside the checkout finds nothing."""
    assert (results.FOLDER.parent / "notation.md").is_file()
    for path in results.FOLDER.glob("*"):
        assert result(path.stem), path
