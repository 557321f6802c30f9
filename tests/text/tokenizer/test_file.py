"""A folder with a tokenizer: whole, or refused with a reason."""

import os

import pytest

from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.file import (
    document_of,
    pattern_of,
    split_fields,
    split_rule,
    write_folder,
)
from scratchlm.text.tokenizer.patterns import PATTERNS

DOCUMENT = document_of({"<s>": 0}, split_rule("gpt2"), {}, {"type": "T"})


@pytest.mark.parametrize("pattern", [*PATTERNS, r"\w+"])
def test_a_pattern_survives_its_rule(pattern):
    """A pattern written for another engine that is not known again."""
    assert pattern_of(split_rule(pattern)) == pattern


def test_what_the_families_share():
    """A model of another type read as this one."""
    fields = {"pattern": "gpt2", "special_tokens": {"<s>": 0}}
    assert split_fields(DOCUMENT, "T") == fields
    with pytest.raises(ValueError, match="its model is 'T', not 'S'"):
        split_fields(DOCUMENT, "S")


@pytest.mark.parametrize("content", [b"", b'{"model": ', b"\xff\xfe"])
def test_corrupt_files_are_named(tmp_path, content):
    """A JSONDecodeError that does not say of which file."""
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read .*tokenizer\.json"):
        BPETokenizer.load(tmp_path)
    assert path.read_bytes() == content


def test_missing_file_is_named(tmp_path):
    """FileNotFoundError where a ValueError is documented."""
    with pytest.raises(ValueError, match=r"no .*tokenizer\.json.*folder"):
        BPETokenizer.load(tmp_path)


def test_saving_into_a_file(tmp_path):
    """A file of the user's, replaced by a folder."""
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        write_folder(path, DOCUMENT)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch, broken):
    """A full disk in the middle of a save, and no tokenizer any more."""
    write_folder(tmp_path, DOCUMENT)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="no space"):
        write_folder(tmp_path, DOCUMENT | {"version": "2.0"})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
