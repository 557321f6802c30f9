"""The tokenizer from outside: what goes in comes out, whatever the text."""

import doctest
import json
import os
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.interop.tokenizers.tiktoken import from_tiktoken, to_tiktoken
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer import bpe
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS, find_pattern

EXAMPLE = "she sells sea shells"
SPECIAL = ("<|endoftext|>", "<|end of turn|>", "<|end")
OWN = r"\w+|[^\w\s]"  # leaves space between its pieces
DOCS = list(python_docs(200_000))
PATTERN_NAMES = (*PATTERNS, OWN)
patterns = st.sampled_from(PATTERN_NAMES)
awkward = st.text(
    st.sampled_from("aZé1٣ \t\n\r\x0b\x1c\x85\u3000'/,!sltr日本\u0301😀")
)
# Of signs that Unicode has no name for yet, each library knows its own.
named = st.text(st.characters(exclude_categories=["Cn", "Cs"]))
texts = st.one_of(named, awkward, st.sampled_from(DOCS))


@cache
def trained(pattern="gpt2"):
    """A tokenizer for each pattern."""
    return BPETokenizer.train(
        DOCS, 1500, pattern=pattern, special_tokens=SPECIAL
    )


@cache
def with_two_special_tokens():
    """Of two that begin alike, which one tiktoken takes is not defined."""
    return BPETokenizer(
        pattern="cl100k",
        vocab=trained("cl100k").vocab,
        merges=trained("cl100k").merges,
        special_tokens={name: 2000 + i for i, name in enumerate(SPECIAL[:2])},
    )


@cache
def theirs_of(ours):
    """tiktoken's encoding of the same vocabulary."""
    return to_tiktoken(ours)


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
    tokenizer = trained(pattern)
    assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_decode(data):
    """Decoding through text, which not every byte string is."""
    tokenizer = trained()
    ids = list(data)  # the ids of single bytes are the bytes
    assert tokenizer.decode_bytes(ids) == data
    assert tokenizer.decode(ids) == data.decode(errors="replace")


def test_decode_errors_are_the_callers_choice():
    """``errors`` that is accepted and not passed on."""
    with pytest.raises(UnicodeDecodeError):
        trained().decode([0xFF], errors="strict")


@settings(deadline=None, max_examples=50)
@given(patterns, awkward)
def test_encoding_equals_the_naive_loop(pattern, text):
    """A cache, a chunk or a fast merge that changes the ids."""
    tokenizer = trained(pattern)
    assert tokenizer.encode_ordinary(text) == encode_naively(tokenizer, text)


@settings(deadline=None)
@given(st.sampled_from([*PATTERNS]), texts)
def test_equals_tiktoken(pattern, text):
    """Ids that are ours alone."""
    ours = trained(pattern)
    theirs = theirs_of(ours)
    assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_equals_tiktoken_on_lone_surrogates():
    """UnicodeEncodeError on text that json.loads happily makes."""
    ours = trained()
    for text in ("a\ud800b", "\udc00", "pair \ud83d\ude00."):
        ids = ours.encode_ordinary(text)
        assert ids == theirs_of(ours).encode_ordinary(text)
        halves = ours.encode_iterable(iter(text))
        assert list(halves) == ids


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(SPECIAL), awkward)))
def test_special_tokens_equal_tiktoken(parts):
    """A special token that swallows, or merges with, its neighbours."""
    text = "".join(parts)
    ours = with_two_special_tokens()
    for allowed in ("all", set(SPECIAL[:2]), set()):
        try:
            theirs = theirs_of(ours).encode(text, allowed_special=allowed)
        except ValueError:
            with pytest.raises(ValueError, match="special token"):
                ours.encode(text, allowed_special=allowed)
        else:
            assert ours.encode(text, allowed_special=allowed) == theirs


@settings(deadline=None)
@given(patterns, st.lists(st.one_of(st.sampled_from(SPECIAL), texts)))
def test_batch_and_array_equal_encode(pattern, parts):
    """Three ways to encode that differ."""
    tokenizer = trained(pattern)
    each = [tokenizer.encode(part, allowed_special="all") for part in parts]
    assert tokenizer.encode_batch(parts, allowed_special="all") == each
    plain = [tokenizer.encode_ordinary(part) for part in parts]
    assert [a.tolist() for a in tokenizer.encode_arrays(parts)] == plain
    for part, ids in zip(parts, each, strict=True):
        array = tokenizer.encode_array(part, allowed_special="all")
        assert array.tolist() == ids
        assert array.dtype == np.uint16


def test_training_again_gives_the_same_fingerprint():
    """A vocabulary that depends on the number of processes."""
    same = BPETokenizer.train(
        DOCS, 1500, pattern="gpt2", special_tokens=SPECIAL, workers=1
    )
    assert same.fingerprint == trained().fingerprint
    assert len(same.fingerprint) == 64


BYTES = {bytes([byte]): byte for byte in range(256)}
TOY = {
    "pattern": "gpt2",
    "vocab": BYTES | {b"ab": 256},
    "merges": ((b"a", b"b"),),
    "special_tokens": {"<|end|>": 300},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"pattern": "cl100k"},
        {"vocab": BYTES | {b"ab": 257}},
        {"vocab": BYTES | {b"bc": 256}, "merges": ((b"b", b"c"),)},
        {"special_tokens": {"<|end|>": 301}},
        {"special_tokens": {}},
        {"whole_pieces": True},
    ],
)
def test_whatever_changes_the_output_changes_the_fingerprint(changes):
    """Shards of one tokenizer taken for those of another."""
    changed = BPETokenizer(**(TOY | changes))
    assert changed.fingerprint != BPETokenizer(**TOY).fingerprint


def test_bytes_of_names_every_id():
    """A special token that cannot be decoded."""
    bytes_of = BPETokenizer(**TOY).bytes_of
    assert (bytes_of[256], bytes_of[300]) == (b"ab", b"<|end|>")
    assert len(bytes_of) == 258


def test_bytes_alone_take_a_byte_each():
    """Two bytes of disk for each byte of text."""
    alone = BPETokenizer(pattern="gpt2", vocab=BYTES, merges=())
    assert alone.encode_array("\u00e9").dtype == np.uint8
    assert alone.encode("\u00e9") == [0xC3, 0xA9]


def test_real_gpt2_vocabulary():
    """An order of bytes, or of merges, that only the real files have."""
    folder = Path(os.environ.get("SCRATCHLM_DATA", "missing"))
    if not (folder / "gpt2_vocab.json").exists():
        pytest.skip("SCRATCHLM_DATA names no folder with gpt2_vocab.json")
    files = folder / "gpt2_vocab.json", folder / "gpt2_merges.txt"
    ours = from_gpt2_files(*files)
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
    assert from_tiktoken(theirs).merges == ours.merges
    vocab = json.loads(files[0].read_text("utf-8"))
    assert len(vocab) == ours.vocab_size
