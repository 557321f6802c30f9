"""Hugging Face's libraries read what we write, and we read theirs."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer

NAMES = ("wordpiece", "wordpiece-o200k")
awkward = st.text(st.sampled_from("aZé1 \t\n\r\u3000'/,!sltr日本\u0301😀#=-"))
DOCS = [doc[:800] for doc in python_docs(20_000)]
SPECIAL = ("<|endoftext|>", "<|end of turn|>")
texts = st.lists(
    st.one_of(awkward, st.sampled_from(SPECIAL), st.sampled_from(DOCS)),
    max_size=5,
)


@pytest.mark.untraced
@pytest.mark.parametrize("name", NAMES)
def test_load_gives_the_same_tokenizer(trained, saved, name):
    """A field that does not survive the file."""
    loaded = WordPieceTokenizer.load(str(saved(name)))
    assert loaded.fingerprint == trained(name).fingerprint
    assert loaded.vocab_size == trained(name).vocab_size


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(parts=texts)
def test_tokenizers_encodes_equally(trained, theirs, name, parts):
    """Patterns that Oniguruma reads in its own way, or an unknown
    piece that the two treat differently."""
    ours = trained(name)
    if not ours.special_tokens:
        parts = [part for part in parts if part not in SPECIAL]
    text = "".join(parts)
    ids = ours.encode(text, allowed_special="all")
    assert theirs(name).encode(text).ids == ids
    decoded = theirs(name).decode(ids, skip_special_tokens=False)
    assert decoded == ours.decode(ids)


def test_transformers_encodes_equally(trained, saved):
    """A config that names no class, or cleans up spaces after decoding."""
    ours = trained("wordpiece")
    text = "the tests , these are\n\n  of<|endoftext|> <|end of turn|>"
    ids = ours.encode(text, allowed_special="all")
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(saved("wordpiece"))
    assert loaded(text)["input_ids"] == ids
    assert loaded.decode(ids) == text


def test_unknown_token_may_be_listed_as_special(trained, saved, tmp_path):
    """BERT's files list [UNK] among the added tokens."""
    path = saved("wordpiece") / "tokenizer.json"
    document = json.loads(path.read_text("utf-8"))
    added = dict(document["added_tokens"][0], content="[UNK]", id=0)
    document["added_tokens"].append(added)
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    loaded = WordPieceTokenizer.load(tmp_path)
    assert loaded.fingerprint == trained("wordpiece").fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model/type", "BPE"), "'BPE', not"),
        (("normalizer", {"type": "Lowercase"}), "normalizer"),
        (("pre_tokenizer", None), "None, not one Split"),
        (("pre_tokenizer", {"type": "Metaspace"}), "Metaspace"),
        (("pre_tokenizer/behavior", "Removed"), "Removed"),
        (("pre_tokenizer/pattern/Regex", "("), "bad pattern"),
        (("model/vocab", []), "not a WordPiece"),
        (("", {"version": "1.0"}), "lacks 'model'"),
        (("", [1, 2]), "not a WordPiece"),
    ],
)
def test_foreign_files_are_refused(spoilt, change, message):
    """A tokenizer that loads, and gives other ids than its own library."""
    path = spoilt("wordpiece", *change)
    with pytest.raises(ValueError, match=message) as error:
        WordPieceTokenizer.load(path.parent)
    assert str(path) in str(error.value)
