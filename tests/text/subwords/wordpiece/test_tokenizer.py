"""Longest match, equal to Hugging Face's tokenizers."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.wordpiece.tokenizer import (
    WordPieceTokenizer,
    match_longest,
)
from scratchlm.text.tokenizer.patterns import GPT2

DOCS = list(python_docs(60_000))
SMALL = WordPieceTokenizer(
    pattern="gpt2",
    vocab={t: i for i, t in enumerate(
        ["[UNK]", "a", "b", " ", "##a", "##b", "ab", "##ab", "##aba", "#",
         "###", "####", "é", "##日", "日", " a", "##é"]
    )},
    max_characters=12,
)  # fmt: skip


@cache
def trained() -> WordPieceTokenizer:
    return WordPieceTokenizer.train(DOCS, 800)


@cache
def theirs_of(ours: WordPieceTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordPiece(
            vocab=ours.vocab,
            unk_token=ours.unknown,
            max_input_chars_per_word=ours.max_characters,
            continuing_subword_prefix=ours.prefix,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(GPT2.replace("$", r"\z")), "isolated"
    )
    return tokenizer


# Of signs that Unicode has no name for yet, each library knows its own.
named = st.text(st.characters(exclude_categories=["Cn", "Cs"]))
few = st.text("ab#é日 \n", max_size=30)


@given(st.one_of(few, named, st.sampled_from([d[:800] for d in DOCS])))
def test_encodes_as_tokenizers_does(text):
    """A longest match that backtracks, a piece unknown by half, or a limit
    counted in bytes."""
    for ours in (trained(), SMALL):
        assert ours.encode(text) == theirs_of(ours).encode(text).ids


def test_greed_does_not_look_back():
    """A match that gives a token back to save the piece: that is another
    algorithm, and gives other ids."""
    vocab = {"[UNK]": 0, "a": 1, "ab": 2, "##bc": 3}
    tokenizer = WordPieceTokenizer(pattern="gpt2", vocab=vocab)
    assert tokenizer.encode("abc") == [0]
    assert match_longest("abc", {"a": 1}, {"bc": 3}, 3) == [1, 3]


def test_a_long_piece_is_unknown():
    """A limit off by one, or one that counts bytes."""
    assert SMALL.encode("é" * 12) == [12] + [16] * 11
    assert SMALL.encode("é" * 13) == [0]


def test_a_piece_that_begins_with_the_mark_loses_it():
    """The spelling "###" means a continuing "#", and text that begins a
    piece with it is taken for that: the price of marks made of characters,
    which Hugging Face's library pays alike. A mark that no text holds does
    not have it."""
    ids = SMALL.encode("###")
    assert ids == theirs_of(SMALL).encode("###").ids
    assert SMALL.decode(ids) == "#"
    mark = "\ue000"
    vocab = {
        (mark + t[2:] if t.startswith("##") else t): i
        for t, i in SMALL.vocab.items()
    }
    safe = WordPieceTokenizer(pattern="gpt2", vocab=vocab, prefix=mark)
    assert safe.decode(safe.encode("###")) == "###"


@given(st.text("abc\n .,#é", max_size=40))
def test_round_trip_of_known_text(text):
    """Spaces lost between words, as in BERT's own decoder."""
    ids = trained().encode(text)
    lossless = "##" not in text and trained().vocab["[UNK]"] not in ids
    assert not lossless or trained().decode(ids) == text


def test_unknown_pieces_decode_to_the_unknown_token():
    """A lost word that decodes to nothing, so that nobody sees the loss."""
    ids = SMALL.encode("ab zz a")
    assert SMALL.decode(np.array(ids)) == "ab[UNK] a"


def test_fingerprint_covers_what_determines_ids():
    """Two tokenizers that differ, taken for one."""
    base = {"pattern": "gpt2", "vocab": {"[UNK]": 0, "a": 1, "?": 2}}
    prints = {
        WordPieceTokenizer(**base | change).fingerprint
        for change in (
            {},
            {"pattern": "cl100k"},
            {"vocab": {"[UNK]": 0, "a": 2, "?": 1}},
            {"special_tokens": {"<|x|>": 3}},
            {"unknown": "?"},
            {"prefix": "@@"},
            {"max_characters": 7},
        )
    }
    assert len(prints) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab": {"a": 0}}, r"lacks the unknown token '\[UNK\]'"),
        ({"vocab": {"[UNK]": 0, "": 1}}, "empty"),
        ({"prefix": ""}, "empty"),
        ({"max_characters": 0}, "max_characters is 0"),
        ({"special_tokens": {"a": 5}}, "'a' is in the vocabulary and"),
        ({"special_tokens": {"<|x|>": 1}}, "same id.*from 2 on"),
        ({"vocab": {"[UNK]": 0, "a": -1}}, "token id -1"),
        ({"special_tokens": {"": 5}}, "empty"),
    ],
)
def test_contradictions_are_named(change, message):
    """A tokenizer that fails at the first unlucky text."""
    parts = {"pattern": "gpt2", "vocab": {"[UNK]": 0, "a": 1}}
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(**parts | change)
