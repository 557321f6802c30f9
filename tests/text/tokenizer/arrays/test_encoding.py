import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.arrays import encoding
from scratchlm.text.tokenizer.arrays.encoding import (
    BlockEncoder,
    as_words,
    groups,
)
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS
from scratchlm.text.tokenizer.spelling import TextSpeller
from scratchlm.text.tokenizer.streaming import well_formed

DOCS = list(python_docs())
PIECES = [
    "the ",
    "internationalization",
    "x" * 70,
    "'s",
    "\n   ",
    "日本語",
    "🙂",
    "\x00",
    "a",
    "aaaaaaaaaaaaaaa",
    "\ud800",
    "0" * 15,
]


@cache
def trained():
    return BPETokenizer.train(DOCS, 2_000)


@cache
def encoder_of(pattern="gpt2"):
    """The same merges with each pattern; it remembers from test to test."""
    return BlockEncoder(trained().rules, pattern)


def encode_all(texts, pattern="gpt2"):
    """Each text's ids, with all texts in as few blocks as can be."""
    encoded = map(encoder_of(pattern).encode_group, groups(texts))
    return [ids.tolist() for group in encoded for ids in group]


def slow(text):
    """What the caches give, whatever the length of the text."""
    return TextSpeller.ids(trained()._text, text).tolist()


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=40))
def test_equals_the_way_of_short_texts(parts):
    """Pieces of 15, 16 or 65 bytes, of zero bytes, of half a character."""
    text = "".join(parts)
    assert encoder_of().encode(text).tolist() == slow(text)


@settings(max_examples=300)
@given(
    st.lists(
        st.lists(
            st.sampled_from([*PIECES, "x.\n", "/", "7", " ", "\n"]), max_size=4
        )
        | st.lists(st.text(max_size=5), max_size=2),
        max_size=12,
    )
)
def test_texts_encoded_together_do_not_touch(parts):
    """A digit, a line end or a slash that joins the next document; a
    contraction across two; an empty text that shifts all that follow; blank
    lines at an end that is taken for the middle of a text."""
    texts = ["".join(each) for each in parts]
    assert encode_all(texts) == [slow(text) for text in texts]


@pytest.mark.parametrize("pattern", ["cl100k", "o200k"])
@given(
    st.lists(
        st.text("aB1.'s /\n\t", max_size=6) | st.text(max_size=4), max_size=9
    )
)
def test_nor_with_the_later_patterns(pattern, texts):
    """Line ends that join the signs before them, from another text."""
    cutter = PATTERNS[pattern]
    assert encode_all(texts, pattern) == [
        [
            ord(token)
            for piece in cutter.pieces(well_formed(text))
            for token in trained().rules.apply(piece.encode())
        ]
        for text in texts
    ]


def test_many_texts_fill_blocks(monkeypatch):
    """A group that grows without end, or a text that is lost between two."""
    monkeypatch.setattr(encoding, "BLOCK", 2_000)
    assert encode_all(DOCS[:30]) == [slow(text) for text in DOCS[:30]]


def test_equals_on_real_text_from_an_empty_memory_and_a_full_one():
    """A piece that was learnt in one block and is wrong in the next."""
    text = "\n".join(DOCS)
    encoder = BlockEncoder(trained().rules)
    expected = slow(text)
    assert encoder.encode(text).tolist() == expected
    assert encoder.encode(text).tolist() == expected
    assert trained().encode_ordinary(text) == expected


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(0, 2**32))
def test_blocks_change_nothing(size, seed):
    """A block that ends inside a piece, or in a run of space."""
    text = "".join(random.Random(seed).choices(PIECES + [" "] * 5, k=60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "BLOCK", size)
        patch.setattr(encoding, "WINDOW", 10)
        assert encoder_of().encode(text).tolist() == slow(text)


def test_what_is_remembered_is_bounded(monkeypatch):
    """Memory that grows with the stream."""
    monkeypatch.setattr(encoding, "PIECES_KEPT", 3_000)
    encoder = BlockEncoder(trained().rules)
    for i in range(20):
        text = " ".join(f"{n:x}" for n in range(i * 400, i * 400 + 400))
        assert encoder.encode(text).tolist() == slow(text)
        assert encoder.known.n_pieces < 4_000


def test_one_long_piece_many_times_is_bounded_too(monkeypatch):
    """A limit on pieces alone lets a few of a megabyte each fill memory."""
    monkeypatch.setattr(encoding, "PIECES_KEPT", 3_000)
    encoder = BlockEncoder(trained().rules)
    for _ in range(20):
        encoder.encode("q" * 10_000)
    assert encoder.known.n_tokens < 60_000


def test_every_piece_of_up_to_fifteen_bytes_has_its_own_words():
    """Two pieces with one key: a wrong token, and nobody would know."""
    rng = random.Random(0)
    some = {rng.randbytes(rng.randrange(1, 16)) for _ in range(2_000)}
    some |= {bytes(n) for n in range(1, 16)} | {b"a\x00", b"a", b"\x00a"}
    pieces = sorted(some)
    lengths = np.array([*map(len, pieces)])
    starts = lengths.cumsum() - lengths
    low, high = as_words(b"".join(pieces) + bytes(16), starts, lengths)
    assert len({*zip(low.tolist(), high.tolist(), strict=True)}) == len(some)
