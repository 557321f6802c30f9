"""Hugging Face's libraries read what we write, and we read theirs."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from scratchlm.text.corpora.texts import python_docs
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer

SPECIAL = ("<|endoftext|>", "<|end of turn|>")
DOCS = list(python_docs(30_000))
UNKNOWN = UnigramTokenizer.train(
    DOCS, 700, byte_fallback=False, special_tokens=SPECIAL
)
TOKENIZERS = {
    "wordpiece": WordPieceTokenizer.train(DOCS, 800, special_tokens=SPECIAL),
    "wordpiece-o200k": WordPieceTokenizer.train(DOCS, 800, pattern="o200k"),
    "unigram": UnigramTokenizer.train(DOCS, 900, special_tokens=SPECIAL),
    "unigram-cl100k": UnigramTokenizer.train(DOCS, 900, pattern="cl100k"),
    "unigram-unk": UNKNOWN,
    "whole": UnigramTokenizer.train(DOCS[:9], 800, pattern=r"[\s\S]+"),
}
awkward = st.text(st.sampled_from("aZé1 \t\n\r\u3000'/,!sltr日本\u0301😀#=-"))
texts = st.lists(
    st.one_of(awkward, st.sampled_from(SPECIAL), st.sampled_from(DOCS)),
    max_size=5,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each tokenizer, and Hugging Face's reading of it."""
    made = {}
    for name, tokenizer in TOKENIZERS.items():
        folder = tmp_path_factory.mktemp(name) / "new"
        tokenizer.save(folder)
        theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
        made[name] = folder, theirs
    return made


@pytest.fixture
def spoilt(folders, tmp_path, edited):
    """Writes a tokenizer's file with one change."""

    def written(name, place, value):
        source = folders[name][0] / "tokenizer.json"
        path = tmp_path / "tokenizer.json"
        path.write_text(edited(source, place, value), "utf-8")
        return path

    return written


def test_load_gives_the_same_tokenizer(folders):
    """A field that does not survive the file."""
    for name, tokenizer in TOKENIZERS.items():
        loaded = type(tokenizer).load(str(folders[name][0]))
        assert loaded.fingerprint == tokenizer.fingerprint
        assert loaded.vocab_size == tokenizer.vocab_size


@settings(max_examples=60)
@given(st.sampled_from([*TOKENIZERS]), texts)
def test_tokenizers_encodes_equally(folders, name, parts):
    """Patterns that Oniguruma reads in its own way, or ties and unknown
    characters that the two treat differently."""
    ours, theirs = TOKENIZERS[name], folders[name][1]
    parts = (
        parts if ours.special_tokens else [p for p in parts if p[:2] != "<|"]
    )
    text = "".join(parts)
    ids = ours.encode(text, allowed_special="all")
    assert theirs.encode(text).ids == ids
    if name == "unigram-unk":
        return  # the two write an unknown character in their own ways
    decoded = theirs.decode(ids, skip_special_tokens=False)
    assert decoded == ours.decode(ids)


@pytest.mark.parametrize("name", ["wordpiece", "unigram"])
def test_transformers_encodes_equally(folders, name):
    """A config that names no class, or cleans up spaces after decoding."""
    ours = TOKENIZERS[name]
    text = "the tests , these are\n\n  of<|endoftext|> <|end of turn|>"
    ids = ours.encode(text, allowed_special="all")
    loaded = AutoTokenizer.from_pretrained(folders[name][0])
    assert loaded(text)["input_ids"] == ids
    assert loaded.decode(ids) == text


def test_a_byte_spelled_out_in_text(folders):
    """The file lists the bytes among the tokens, so tokenizers takes the
    text "<0x41>" for the byte it names, and A comes back. sentencepiece
    keeps them apart, and so do we."""
    ours, theirs = TOKENIZERS["unigram"], folders["unigram"][1]
    text = "<0x41>"
    assert ours.decode(ours.encode(text)) == text
    whole = TOKENIZERS["whole"], folders["whole"][1]
    assert whole[0].decode(whole[0].encode(text)) == text
    assert whole[1].decode(whole[1].encode(text).ids) == "A"
    assert theirs.decode(theirs.encode(text).ids) == text  # cut by pieces


def test_unknown_token_may_be_listed_as_special(folders, tmp_path):
    """BERT's files list [UNK] among the added tokens."""
    for name, unknown in (("wordpiece", "[UNK]"), ("unigram-unk", "<unk>")):
        path = folders[name][0] / "tokenizer.json"
        document = json.loads(path.read_text("utf-8"))
        added = dict(document["added_tokens"][0], content=unknown, id=0)
        document["added_tokens"].append(added)
        (tmp_path / "tokenizer.json").write_text(json.dumps(document))
        ours = TOKENIZERS[name]
        assert type(ours).load(tmp_path).fingerprint == ours.fingerprint


@pytest.mark.parametrize("name", ["wordpiece", "unigram"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("model/type", "BPE"), "'BPE', not"),
        (("normalizer", {"type": "NFC"}), "normalizer"),
        (("added_tokens/0/lstrip", True), "lstrip"),
        (("pre_tokenizer", None), "None, not one Split"),
        (("pre_tokenizer", {"type": "Metaspace"}), "Metaspace"),
        (("pre_tokenizer/behavior", "Removed"), "Removed"),
        (("pre_tokenizer/pattern/Regex", "("), "bad pattern"),
        (("model/vocab", []), "not a (unigram|WordPiece)"),
        (("", {"version": "1.0"}), "lacks 'model'"),
        (("", [1, 2]), "not a (unigram|WordPiece)"),
    ],
)
def test_foreign_files_are_refused(spoilt, name, change, message):
    """A tokenizer that loads, and gives other ids than its own library."""
    path = spoilt(name, *change)
    with pytest.raises(ValueError, match=message) as error:
        type(TOKENIZERS[name]).load(path.parent)
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
