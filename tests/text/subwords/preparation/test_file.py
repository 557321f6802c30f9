"""Fields around a model, read and written."""

import pytest

from scratchlm.text.subwords.preparation.file import (
    prepared_document,
    prepared_fields,
)
from scratchlm.text.subwords.preparation.joining import SentencePieceJoining
from scratchlm.text.subwords.preparation.sentencepiece import SentencePieceText
from scratchlm.text.tokenizer.frame import Frame

VOCAB = {"a": 0, "<s>": 1}
JOINING = SentencePieceJoining(unknown="<unk>", surface="?", dummy_prefix=True)


def token(name, i, **changes):
    return {"content": name, "id": i, "special": True} | changes


def fields(**changes):
    return prepared_fields(changes, VOCAB)


@pytest.mark.parametrize("key", ["lstrip", "rstrip", "single_word"])
def test_tokens_that_take_more_than_their_spelling(key):
    """Ids that differ beside a space."""
    with pytest.raises(ValueError, match=f"'<s>' has {key}"):
        fields(added_tokens=[token("<s>", 1, **{key: True})])


def test_ids_that_tokenizers_does_not_give():
    """It counts on from the vocabulary, whatever the file says."""
    with pytest.raises(ValueError, match="would give it 2"):
        fields(added_tokens=[token("<pad>", 9)])
    with pytest.raises(ValueError, match="would give it 1"):
        fields(added_tokens=[token("<s>", 5)])
    read = fields(added_tokens=[token("<x>", 3), token("<pad>", 2)])
    assert read["special_tokens"] == {"<pad>": 2, "<x>": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"charsmap": "nfkc"}, "normalises by sentencepiece's rules"),
        ({"as_suffix": True}, "behind words"),
        ({"symbols": frozenset({"a b"})}, "behind words"),
    ],
)
def test_what_a_file_cannot_say(packed, changes, message):
    """A file that gives other ids than the tokenizer that wrote it."""
    if "charsmap" in changes:
        changes = {"charsmap": packed(changes["charsmap"])}
    made = {
        "rewriting": SentencePieceText(**changes),
        "joining": JOINING,
        "special_tokens": {},
        "frame": Frame(),
    }
    with pytest.raises(ValueError, match=message):
        prepared_document(made, {})
