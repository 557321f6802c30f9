"""Hugging Face's libraries read what we write, and we read theirs."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer

NAMES = ("unigram", "unigram-cl100k", "unigram-unk", "whole")
awkward = st.text(st.sampled_from("aZé1 \t\n\r\u3000'/,!sltr日本\u0301😀#=-"))
DOCS = [doc[:800] for doc in python_docs(20_000)]
SPECIAL = ("<|endoftext|>", "<|end of turn|>")
texts = st.lists(
    st.one_of(awkward, st.sampled_from(SPECIAL), st.sampled_from(DOCS)),
    max_size=5,
)


@pytest.mark.parametrize("name", NAMES)
def test_load_gives_the_same_tokenizer(trained, saved, name):
    """A field that does not survive the file."""
    loaded = UnigramTokenizer.load(str(saved(name)))
    assert loaded.fingerprint == trained(name).fingerprint
    assert loaded.vocab_size == trained(name).vocab_size


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30)
@given(parts=texts)
def test_tokenizers_encodes_equally(trained, theirs, name, parts):
    """Patterns that Oniguruma reads in its own way, or ties and
    unknown characters that the two treat differently."""
    ours = trained(name)
    if not ours.special_tokens:
        parts = [part for part in parts if part not in SPECIAL]
    text = "".join(parts)
    ids = ours.encode(text, allowed_special="all")
    assert theirs(name).encode(text).ids == ids
    if name == "unigram-unk":
        return  # the two write an unknown character in their own ways
    decoded = theirs(name).decode(ids, skip_special_tokens=False)
    assert decoded == ours.decode(ids)


def test_a_byte_spelled_out_in_text(trained, theirs):
    """The file lists the bytes among the tokens, so tokenizers takes the
    text "<0x41>" for the byte it names, and A comes back. sentencepiece
    keeps them apart, and so do we."""
    text = "<0x41>"
    for name, comes_back in (("unigram", text), ("whole", "A")):
        ours, face = trained(name), theirs(name)
        assert ours.decode(ours.encode(text)) == text
        # Cut by pieces, the text does not reach their model as a whole.
        assert face.decode(face.encode(text).ids) == comes_back


def test_transformers_encodes_equally(trained, saved):
    """A config that names no class, or cleans up spaces after decoding."""
    ours = trained("unigram")
    text = "the tests , these are\n\n  of<|endoftext|> <|end of turn|>"
    ids = ours.encode(text, allowed_special="all")
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(saved("unigram"))
    assert loaded(text)["input_ids"] == ids
    assert loaded.decode(ids) == text


def test_unknown_token_may_be_listed_as_special(trained, saved, tmp_path):
    """tokenizers' own trainer lists it among the added tokens."""
    path = saved("unigram-unk") / "tokenizer.json"
    document = json.loads(path.read_text("utf-8"))
    added = dict(document["added_tokens"][0], content="<unk>", id=0)
    document["added_tokens"].append(added)
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    loaded = UnigramTokenizer.load(tmp_path)
    assert loaded.unknown_id == loaded.special_tokens["<unk>"] == 0
    text = "a\u0416<unk>"
    theirs = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = loaded.encode(text, allowed_special="all")
    assert ids == theirs.encode(text).ids


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model/type", "BPE"), "'BPE', not"),
        (("normalizer", {"type": "Lowercase"}), "normalizer"),
        (("pre_tokenizer", {"type": "Digits"}), "Digits"),
        (("pre_tokenizer/behavior", "Removed"), "Removed"),
        (("pre_tokenizer/pattern/Regex", "("), "bad pattern"),
        (("model/vocab", []), "not a unigram"),
        (("", {"version": "1.0"}), "lacks 'model'"),
        (("", [1, 2]), "not a unigram"),
    ],
)
def test_foreign_files_are_refused(spoilt, change, message):
    """A tokenizer that loads, and gives other ids than its own library."""
    path = spoilt("unigram", *change)
    with pytest.raises(ValueError, match=message) as error:
        UnigramTokenizer.load(path.parent)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model/vocab/300", ["<0x00>", -1.0]), "two of its tokens"),
        (("model/vocab/0", ["zero", -1.0]), "lacks '<0x00>'"),
        (("model/vocab/300", ["odd", "x"]), "not a unigram"),
        (("model/unk_id", 900), "unk_id is 900, which no token has"),
    ],
)
def test_broken_unigram_files_are_refused(spoilt, change, message):
    """A byte that cannot be spelled, or a token with two scores."""
    path = spoilt("unigram", *change)
    with pytest.raises(ValueError, match=message):
        UnigramTokenizer.load(path.parent)


def test_gaps_between_ids_cannot_be_saved(tmp_path):
    """A list of tokens in which every id after the gap is one too low."""
    gap = UnigramTokenizer(
        pattern="gpt2", scores={"a": -1.0}, vocab={"a": 2}, unknown_id=0
    )
    with pytest.raises(ValueError, match="no token has the id 1"):
        gap.save(tmp_path / "x")
    assert not (tmp_path / "x").exists()
