"""The tokenizer from outside: what goes in comes out, whatever the text."""

import doctest
import json
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text import bpe, parallel
from scratchlm.text.bpe import BPETokenizer
from scratchlm.text.corpora import python_docs
from scratchlm.text.pretokenize import PATTERNS, find_pattern

EXAMPLE = "she sells sea shells"
SPECIAL = ("<|endoftext|>", "<|end of turn|>", "<|end")
OWN = r"\w+|[^\w\s]"  # leaves space between its pieces
DOCS = list(python_docs(200_000))
TOKENIZERS = {
    pattern: BPETokenizer.train(
        DOCS, 1500, pattern=pattern, special_tokens=SPECIAL
    )
    for pattern in (*PATTERNS, OWN)
}
SPECIAL_NAMES = set(SPECIAL[:2])  # which one tiktoken takes of two that
OURS = BPETokenizer(  # begin alike is not defined
    pattern="cl100k",
    vocab=TOKENIZERS["cl100k"].vocab,
    merges=TOKENIZERS["cl100k"].merges,
    special_tokens={name: 2000 + i for i, name in enumerate(SPECIAL[:2])},
)
THEIRS = OURS.to_tiktoken()
TIKTOKEN = {name: TOKENIZERS[name].to_tiktoken() for name in PATTERNS}
patterns = st.sampled_from([*TOKENIZERS])
awkward = st.text(
    st.sampled_from("aZé1٣ \t\n\r\x0b\x1c\x85\u3000'/,!sltr日本\u0301😀")
)
texts = st.one_of(st.text(), awkward, st.sampled_from(DOCS))


def merge_pair(word: list[bytes], pair: tuple[bytes, bytes]) -> list[bytes]:
    merged = []
    i = 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            merged.append(word[i] + word[i + 1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return merged


def encode_naively(tokenizer: BPETokenizer, text: str) -> list[int]:
    ids = []
    for piece in find_pattern(tokenizer.pattern).pieces(text):
        word = [bytes([byte]) for byte in piece.encode()]
        for pair in tokenizer.merges:
            word = merge_pair(word, pair)
        ids += [tokenizer.vocab[token] for token in word]
    return ids


def test_worked_example():
    """The docstring, the chapter and the code drift apart."""
    tokenizer = BPETokenizer.train([EXAMPLE], 262)
    assert b"|".join(map(b"".join, tokenizer.merges)) == (
        b" s|ls|lls|he| se|she"
    )
    ids = [261, 260, 258, 260, 97, 256, 259, 258]
    assert tokenizer.encode(EXAMPLE) == ids
    assert tokenizer.decode(ids) == EXAMPLE


def test_docstrings_run():
    """An example in a docstring that nobody runs."""
    result = doctest.testmod(bpe)
    assert result.attempted
    assert not result.failed


@settings(deadline=None)
@given(patterns, texts)
def test_round_trip(pattern, text):
    """A pattern or a merge that loses a character."""
    tokenizer = TOKENIZERS[pattern]
    assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_decode(data):
    """Decoding through text, which not every byte string is."""
    tokenizer = TOKENIZERS["gpt2"]
    ids = list(data)  # the ids of single bytes are the bytes
    assert tokenizer.decode_bytes(ids) == data
    assert tokenizer.decode(ids) == data.decode(errors="replace")


def test_decode_errors_are_the_callers_choice():
    """``errors`` that is accepted and not passed on."""
    with pytest.raises(UnicodeDecodeError):
        TOKENIZERS["gpt2"].decode([0xFF], errors="strict")


@settings(deadline=None, max_examples=50)
@given(patterns, awkward)
def test_encoding_equals_the_naive_loop(pattern, text):
    """A cache, a chunk or a fast merge that changes the ids."""
    tokenizer = TOKENIZERS[pattern]
    assert tokenizer.encode_ordinary(text) == encode_naively(tokenizer, text)


@settings(deadline=None)
@given(st.sampled_from([*PATTERNS]), texts)
def test_equals_tiktoken(pattern, text):
    """Ids that are ours alone."""
    ours = TOKENIZERS[pattern]
    theirs = TIKTOKEN[pattern]
    assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_equals_tiktoken_on_lone_surrogates():
    """UnicodeEncodeError on text that json.loads happily makes."""
    ours = TOKENIZERS["gpt2"]
    for text in ("a\ud800b", "\udc00", "pair \ud83d\ude00."):
        ids = ours.encode_ordinary(text)
        assert ids == TIKTOKEN["gpt2"].encode_ordinary(text)
        halves = ours.encode_iterable(iter(text))
        assert list(halves) == ids


def test_special_text_raises_unless_allowed():
    """Text from a user that forges the end of a document."""
    tokenizer = TOKENIZERS["gpt2"]
    text = "a<|endoftext|>b"
    for call in (
        tokenizer.encode,
        tokenizer.encode_array,
        lambda text: tokenizer.encode_batch([text]),
        lambda text: list(tokenizer.encode_iterable(text)),
        lambda text: tokenizer.encode(text, allowed_special={"<|end"}),
    ):
        with pytest.raises(
            ValueError, match=r"special token '<\|end.*allowed"
        ):
            call(text)
    ids = tokenizer.encode_ordinary(text)
    assert not set(ids) & set(tokenizer.special_tokens.values())
    assert tokenizer.decode(ids) == text


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(SPECIAL), awkward)))
def test_special_tokens_equal_tiktoken(parts):
    """A special token that swallows, or merges with, its neighbours."""
    text = "".join(parts)
    for allowed in ("all", SPECIAL_NAMES, set()):
        try:
            theirs = THEIRS.encode(text, allowed_special=allowed)
        except ValueError:
            with pytest.raises(ValueError, match="special token"):
                OURS.encode(text, allowed_special=allowed)
        else:
            assert OURS.encode(text, allowed_special=allowed) == theirs


def test_longest_special_token_wins():
    """The regular expression takes the first alternative, not the longest."""
    tokenizer = TOKENIZERS["gpt2"]
    ids = tokenizer.encode("<|endoftext|><|end", allowed_special="all")
    assert ids == [tokenizer.special_tokens[s] for s in (SPECIAL[0], "<|end")]


def test_one_special_token_given_as_a_string():
    """A string taken for the set of its letters, so nothing is allowed."""
    with pytest.raises(ValueError, match="collection"):
        TOKENIZERS["gpt2"].encode("", allowed_special="<|endoftext|>")


@settings(deadline=None)
@given(patterns, st.lists(st.one_of(st.sampled_from(SPECIAL), texts)))
def test_batch_and_array_equal_encode(pattern, parts):
    """Three ways to encode that differ."""
    tokenizer = TOKENIZERS[pattern]
    each = [tokenizer.encode(part, allowed_special="all") for part in parts]
    assert tokenizer.encode_batch(parts, allowed_special="all") == each
    plain = [tokenizer.encode_ordinary(part) for part in parts]
    assert [a.tolist() for a in tokenizer.encode_arrays(parts)] == plain
    for part, ids in zip(parts, each, strict=True):
        array = tokenizer.encode_array(part, allowed_special="all")
        assert array.tolist() == ids
        assert array.dtype == np.uint16


def test_array_type_is_the_smallest_that_fits():
    """2-byte ids for a vocabulary that needs one byte, or four."""
    tokenizer = TOKENIZERS["gpt2"]
    for top, dtype in ((0xFFFF, np.uint16), (0x10000, np.uint32)):
        wide = BPETokenizer(
            pattern="gpt2",
            vocab=tokenizer.vocab,
            merges=tokenizer.merges,
            special_tokens={"<|top|>": top},
        )
        array = wide.encode_array("a<|top|>", allowed_special="all")
        assert array.dtype == dtype
        assert array[-1] == top
    assert BPETokenizer.train(["a"], 256).encode_array("a").dtype == np.uint8


def test_a_batch_refuses_special_text_as_one_text_does():
    """A batch through which a user's text forges a special token."""
    with pytest.raises(ValueError, match="special"):
        TOKENIZERS["gpt2"].encode_batch(["a" * 5_000, "<|endoftext|>"])


def test_batch_on_two_processes(monkeypatch):
    """A worker that returns its texts out of order, or another vocabulary."""
    tokenizer = TOKENIZERS["gpt2"]
    monkeypatch.setattr(parallel, "BATCH", 999)
    assert tokenizer.encode_batch(DOCS, workers=2) == [
        tokenizer.encode(text) for text in DOCS
    ]
    with pytest.raises(ValueError, match="workers is 0"):
        tokenizer.encode_batch(DOCS, workers=0)


def test_survives_the_way_to_another_process():
    """What spawned workers get: a copy without caches."""
    tokenizer = TOKENIZERS["o200k"]
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.fingerprint == tokenizer.fingerprint
    assert copy.encode(EXAMPLE) == tokenizer.encode(EXAMPLE)


def test_ids_out_of_range():
    """A negative id that reads the vocabulary from its end."""
    tokenizer = TOKENIZERS["gpt2"]
    for bad in (-1, tokenizer.vocab_size):
        with pytest.raises(ValueError, match=f"{bad} is not the id"):
            tokenizer.decode([97, bad])
    assert tokenizer.decode(np.array([97, 98], np.uint16)) == "ab"


def test_fingerprint_tells_what_differs():
    """Shards of one tokenizer read with another."""
    prints = {t.fingerprint for t in TOKENIZERS.values()}
    assert len(prints) == len(TOKENIZERS)
    same = BPETokenizer.train(
        DOCS, 1500, pattern="gpt2", special_tokens=SPECIAL, workers=1
    )
    assert same.fingerprint == TOKENIZERS["gpt2"].fingerprint
    assert len(same.fingerprint) == 64


def test_ids_must_be_free():
    """A special token that takes the id of another token."""
    tokenizer = TOKENIZERS["gpt2"]
    for ids in ({"<|a|>": 97}, {"<|a|>": 5000, "<|b|>": 5000}):
        with pytest.raises(ValueError, match="same id"):
            BPETokenizer(
                pattern="gpt2",
                vocab=tokenizer.vocab,
                merges=tokenizer.merges,
                special_tokens=ids,
            )


def test_real_gpt2_vocabulary():
    """An order of bytes, or of merges, that only the real files have."""
    folder = Path(os.environ.get("SCRATCHLM_DATA", "missing"))
    if not (folder / "gpt2_vocab.json").exists():
        pytest.skip("SCRATCHLM_DATA names no folder with gpt2_vocab.json")
    files = folder / "gpt2_vocab.json", folder / "gpt2_merges.txt"
    ours = BPETokenizer.from_gpt2_files(*files)
    assert ours.special_tokens == {"<|endoftext|>": 50256}
    assert ours.whole_pieces
    alphabet = bytes(ours.decode_bytes(range(256)))
    ranks = dict(ours.vocab)
    assert ranks[b"!"] == 0
    assert len(set(alphabet)) == 256
    theirs = tiktoken.Encoding(
        "gpt2",
        pat_str=PATTERNS["gpt2"].expression,
        mergeable_ranks=ranks,
        special_tokens=ours.special_tokens,
    )
    shuffled = random.Random(0).sample(DOCS, 20)
    for text in (*shuffled, "naïve 日本語 🙂\n\n  x", "x" * 1000):
        assert ours.encode(text) == theirs.encode(text)
    assert BPETokenizer.from_tiktoken(theirs).merges == ours.merges
    vocab = json.loads(files[0].read_text("utf-8"))
    assert len(vocab) == ours.vocab_size
