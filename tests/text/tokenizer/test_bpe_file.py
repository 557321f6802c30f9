"""Hugging Face's libraries read what we write, and we read theirs."""

import dataclasses
import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS

SPECIAL = ("<|endoftext|>", "<|end of turn|>", "<|end")
DOCS = list(python_docs(100_000))
PATTERN_NAMES = (*PATTERNS, r"\w+|[^\w\s]")
awkward = st.text(
    st.sampled_from("aZé1٣ \t\n\r\x0b\x1c\x85\u3000'/,!sltr日本\u0301😀")
)
texts = st.lists(
    st.one_of(awkward, st.sampled_from(SPECIAL), st.sampled_from(DOCS)),
    max_size=5,
)


@cache
def trained(pattern):
    """A tokenizer for each pattern."""
    return BPETokenizer.train(
        DOCS, 900, pattern=pattern, special_tokens=SPECIAL
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each tokenizer."""
    made = {}
    for i, pattern in enumerate(PATTERN_NAMES):
        made[pattern] = tmp_path_factory.mktemp(f"tokenizer{i}") / "new"
        trained(pattern).save(made[pattern])
    return made


@pytest.fixture(scope="module")
def theirs(folders):
    """Hugging Face's reading of each."""
    return {
        pattern: Tokenizer.from_file(str(folder / "tokenizer.json"))
        for pattern, folder in folders.items()
    }


def test_load_gives_the_same_tokenizer(folders):
    """A field that does not survive the file."""
    for pattern in PATTERN_NAMES:
        loaded = BPETokenizer.load(str(folders[pattern]))
        assert loaded.fingerprint == trained(pattern).fingerprint
        assert loaded.pattern == pattern


@settings(deadline=None)
@given(st.sampled_from(PATTERN_NAMES), texts)
def test_tokenizers_encodes_equally(theirs, pattern, parts):
    """Possessive repeats, or $, that Oniguruma reads in its own way."""
    text = "".join(parts)
    ids = trained(pattern).encode(text, allowed_special="all")
    assert theirs[pattern].encode(text).ids == ids
    assert theirs[pattern].decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("pattern", PATTERN_NAMES)
def test_transformers_encodes_equally(folders, pattern):
    """A config that names no class, or cleans up spaces after decoding."""
    ours = trained(pattern)
    text = "Don't stop , they 're 12345!\n\n  x<|endoftext|> <|end of turn|>"
    ids = ours.encode(text, allowed_special="all")
    for loaded in (
        AutoTokenizer.from_pretrained(folders[pattern]),
        PreTrainedTokenizerFast.from_pretrained(folders[pattern]),
    ):
        assert loaded(text)["input_ids"] == ids
        assert loaded.decode(ids) == text
        assert len(loaded) == ours.vocab_size


@pytest.mark.parametrize("joined", [False, True])
def test_tokenizer_trained_by_tokenizers(tmp_path, edited, joined):
    """Ids that do not follow ours, or merges written as one string."""
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.train_from_iterator(
        DOCS,
        trainers.BpeTrainer(
            vocab_size=700,
            show_progress=False,
            special_tokens=["<pad>", "<s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    path = tmp_path / "tokenizer.json"
    theirs.save(str(path))
    merges = json.loads(path.read_text("utf-8"))["model"]["merges"]
    if joined:
        merges = [" ".join(merge) for merge in merges]
        path.write_text(edited(path, "model/merges", merges), "utf-8")
    ours = BPETokenizer.load(tmp_path)
    assert ours.special_tokens == {"<pad>": 0, "<s>": 1}
    for text in DOCS:
        assert ours.encode(text) == theirs.encode(text).ids


PARTS = "pre_tokenizer/pretokenizers"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("model/type", "WordPiece", "'WordPiece', not 'BPE'"),
        ("model/dropout", 0.1, "dropout = 0.1"),
        ("model/continuing_subword_prefix", "##", "subword_prefix"),
        ("model/end_of_word_suffix", "</w>", "end_of_word_suffix"),
        ("normalizer", {"type": "Lowercase"}, "normalizer"),
        ("decoder", {"type": "Metaspace"}, "decoder"),
        ("pre_tokenizer", {"type": "Whitespace"}, "Whitespace"),
        ("pre_tokenizer", None, "pre_tokenizer"),
        (f"{PARTS}/1/add_prefix_space", True, "add_prefix_space"),
        (f"{PARTS}/0/type", "Whitespace", "Whitespace"),
        (f"{PARTS}/0/behavior", "Removed", "Removed"),
        (f"{PARTS}/0/pattern/Regex", "(", "bad pattern"),
        ("model/vocab", {"a": 0}, "has the id 897.* give it 1,"),
        ("model/merges", [["a", "語"]], "alphabet"),
        ("model/merges", [["a", "b", "c"]], "not a byte-level"),
        ("model/merges", ["ab"], "not a byte-level"),
        ("", {"version": "1.0"}, "lacks 'model'"),
        ("", [1, 2], "not a byte-level"),
    ],
)
def test_foreign_files_are_refused(tmp_path, edited, place, value, message):
    """A tokenizer that loads, and gives other ids than its own library."""
    trained("gpt2").save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(edited(path, place, value), "utf-8")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message) as error:
        BPETokenizer.load(tmp_path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before


def edited_by(tmp_path, change, **train):
    """A trained tokenizer, its file changed, and both readings of it."""
    BPETokenizer.train(DOCS[:9], 300, **train).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")
    return BPETokenizer.load(tmp_path), Tokenizer.from_file(str(path))


def test_nfc_is_applied(tmp_path):
    """Qwen's tokenizers bring text into the composed form."""
    ours, theirs = edited_by(
        tmp_path, lambda d: d.update(normalizer={"type": "NFC"})
    )
    text = "nai\u0308ve cafe\u0301"
    assert ours.encode(text) == theirs.encode(text).ids
    assert list(ours.encode_iterable(text)) == theirs.encode(text).ids


THINK = {
    "content": "<think>",
    "special": False,
    "normalized": False,
    **dict.fromkeys(("single_word", "lstrip", "rstrip"), False),
}


def test_ordinary_added_tokens_are_text(tmp_path):
    """`"special": false` taken for special: refused by encode, spelled out
    in shards, and turned round by save, so that decoding drops it."""
    ours, theirs = edited_by(
        tmp_path,
        lambda d: d["added_tokens"].append({"id": 300, **THINK}),
        special_tokens=["<|endoftext|>"],
    )
    text = "some words <think> words"
    ids = theirs.encode(text).ids
    assert ours.encode(text) == ours.encode_ordinary(text) == ids
    assert ours.encode_batch([text]) == [ids]
    assert [a.tolist() for a in ours.encode_arrays([text])] == [ids]
    assert ours.decode([*ids, 299], skip_special_tokens=True) == text
    ours.save(tmp_path / "again")
    saved = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert saved(text)["input_ids"] == ids
    assert saved.decode([*ids, 299], skip_special_tokens=True) == text


def test_normalising_forges_no_special_token(tmp_path):
    """A special token that stands in the text only once it is normalised."""

    def change(document):
        document["normalizer"] = {"type": "NFKC"}
        document["added_tokens"][0]["normalized"] = True

    ours, theirs = edited_by(tmp_path, change, special_tokens=["<|end|>"])
    forged = "\uff1c|end|\uff1e"
    with pytest.raises(ValueError, match=r"special token '<\|end\|>'"):
        ours.encode(forged)
    allowed = ours.encode(forged, allowed_special="all")
    assert allowed == theirs.encode(forged).ids == [299]
    assert 299 not in ours.encode_ordinary(forged)


def test_ids_behind_a_gap_are_saved(tmp_path):
    """cl100k leaves an id free before its special tokens. Other libraries
    number added tokens themselves, but for those in the vocabulary."""
    plain = BPETokenizer.train(DOCS[:9], 300)
    gap = {"<|endoftext|>": 301, "<|fim|>": 302, "<|endofprompt|>": 320}
    ours = dataclasses.replace(plain, special_tokens=gap)
    ours.save(tmp_path)
    text = "hello<|endoftext|>hello<|endofprompt|>"
    ids = ours.encode(text, allowed_special="all")
    path = str(tmp_path / "tokenizer.json")
    assert Tokenizer.from_file(path).encode(text).ids == ids
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids, skip_special_tokens=True) == "hellohello"
    assert BPETokenizer.load(tmp_path).fingerprint == ours.fingerprint


def test_a_name_that_is_a_piece_is_refused(tmp_path):
    """The special token \u0120hi, which a file writes as it does " hi"."""
    plain = BPETokenizer.train(DOCS[:9], 300)
    ours = dataclasses.replace(plain, special_tokens={"\u0120hi": 400})
    with pytest.raises(ValueError, match="does not follow the vocabulary"):
        ours.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_token_of_the_vocabulary_can_be_added(tmp_path):
    """A padding token that is also a word, and two tokens with one id."""

    def change(document):
        row = {"id": document["model"]["vocab"]["!"], **THINK}
        document["added_tokens"].append(row | {"content": "!"})

    ours, theirs = edited_by(tmp_path, change)
    assert ours.encode("hi! !") == theirs.encode("hi! !").ids
