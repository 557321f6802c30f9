"""Hugging Face's libraries read what we write, and we read theirs."""

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
        ("model/unk_token", "<unk>", "unk_token"),
        ("model/end_of_word_suffix", "</w>", "end_of_word_suffix"),
        ("normalizer", {"type": "NFC"}, "normalizer"),
        ("added_tokens/0/lstrip", True, "lstrip"),
        ("pre_tokenizer", {"type": "Whitespace"}, "Whitespace"),
        ("pre_tokenizer", None, "pre_tokenizer"),
        (f"{PARTS}/1/add_prefix_space", True, "ends in"),
        (f"{PARTS}/1/use_regex", True, "splits twice"),
        (f"{PARTS}/0/type", "Digits", "Digits"),
        (f"{PARTS}/0/behavior", "Removed", "Removed"),
        (f"{PARTS}/0/pattern/Regex", "(", "bad pattern"),
        ("model/vocab", {"a": 0}, "lacks 255"),
        ("model/vocab", {"語": 0}, "alphabet"),
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
