"""A folder with a tokenizer: whole, or refused with a reason."""

import os

import pytest

from scratchlm.text.tokenizer.added_tokens import Matching
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.file import (
    document_of,
    numbered,
    shared_fields,
    split_fields,
    with_added,
    write_folder,
)
from scratchlm.text.tokenizer.frame import Frame
from scratchlm.text.tokenizer.normalizers import UnicodeForm
from scratchlm.text.tokenizer.pre_tokenizer import split_rule
from scratchlm.text.tokenizer.preparation import Preparation

SHARED = {
    "special_tokens": {"<s>": 1},
    "preparation": Preparation(
        normalizers=(UnicodeForm("NFC"), UnicodeForm("NFKD")),
        added_tokens={"<think>": 2},
        matching={"<think>": Matching(rstrip=True, normalized=True)},
    ),
    "frame": Frame(before=("<s>",)),
}
DOCUMENT = document_of(
    SHARED, split_rule("gpt2"), {}, {"type": "T", "vocab": {"a": 0}}
)


def test_what_the_families_share():
    """A model of another type read as this one, or a part that is lost."""
    assert split_fields(DOCUMENT, "T") == {"pattern": "gpt2"} | SHARED
    with pytest.raises(ValueError, match="its model is 'T', not 'S'"):
        split_fields(DOCUMENT, "S")


@pytest.mark.parametrize(
    ("vocab", "added", "written"),
    [
        ({"a": 0}, {"<s>": 1, "<t>": 2}, {}),
        ({"a": 0}, {"<s>": 2}, {"<s>": 2}),
        ({"a": 0, "b": 4}, {"<s>": 2, "<t>": 5}, {"<s>": 2, "<t>": 5}),
        ({"a": 0}, {"a": 0, "<s>": 1}, {}),
    ],
)
def test_added_tokens_keep_their_ids(vocab, added, written):
    """Ids behind a gap, which no other library takes from the list of added
    tokens: it counts on from the vocabulary's size."""
    assert with_added(vocab, added) == vocab | written
    names = sorted(added, key=added.__getitem__)
    assert numbered(with_added(vocab, added), names) == added


def test_an_added_token_written_as_another_is_refused():
    """Two tokens with one spelling in the file, and one id for both."""
    with pytest.raises(ValueError, match=r"'a' has the id 7.*the token 0"):
        with_added({"a": 0}, {"a": 7})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truncation": {"max_length": 9}}, "truncation"),
        ({"padding": {"strategy": "BatchLongest"}}, "padding"),
        ({"normalizer": {"type": "Lowercase"}}, "Lowercase"),
        ({"post_processor": {"type": "Odd"}}, "post_processor"),
        (
            {"added_tokens": [{"id": 9, "content": "<s>", "special": True}]},
            "'<s>' has the id 9.*give it 1,",
        ),
    ],
)
def test_what_nobody_does_here_is_refused(change, message):
    """A text cut short by one library and not by the other."""
    with pytest.raises(ValueError, match=message):
        shared_fields(DOCUMENT | change)


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
