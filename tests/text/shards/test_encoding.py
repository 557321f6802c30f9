import hashlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.shards.encoding import (
    Encoded,
    cut_full,
    digest_of,
    encode_batch,
)
from scratchlm.text.shards.manifest import Settings, ShardConfig
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"


@cache
def trained():
    return BPETokenizer.train(
        ["she sells sea shells"], 263, special_tokens=[END]
    )


def batch(lengths):
    ends = np.cumsum(lengths, dtype=np.int64)
    tokens = np.arange(ends[-1], dtype=np.uint16)
    return Encoded(tokens, ends, bytes(32 * len(lengths)))


def test_each_document_has_its_end():
    """A special token that a document spells, taken for its end."""
    settings = Settings.of(trained(), ShardConfig())
    texts = ["she sells", "", f"a{END}b"]
    encoded = encode_batch(trained(), settings, texts)
    end = trained().special_tokens[END]
    assert np.count_nonzero(encoded.tokens == end) == 3
    parts = np.split(encoded.tokens, encoded.ends)[:-1]
    for text, part in zip(texts, parts, strict=True):
        assert trained().decode(part[:-1]) == text
        assert part[-1] == end
    assert encoded.digests[32:64] == hashlib.sha256(b"").digest()
    assert encoded.part(1, 3).ends.tolist() == [1, len(encoded.tokens) - 4]


def test_without_ends():
    """An end of None put behind each document."""
    settings = Settings.of(trained(), ShardConfig(end_of_text=None))
    encoded = encode_batch(trained(), settings, ["ab", "", "c"])
    assert encoded.tokens.tolist() == [97, 98, 99]
    assert encoded.ends.tolist() == [2, 2, 3]


def test_half_a_surrogate_has_a_digest():
    """A document from a broken JSON file that stops the run."""
    assert digest_of("\ud800") != digest_of("?")


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1), max_size=6),
    st.integers(1, 30),
)
def test_where_a_shard_ends_depends_on_the_documents_alone(parts, size):
    """Borders that move with the batches in which documents arrive."""
    lengths = [n for part in parts for n in part]
    borders, held = [], 0
    for i, n in enumerate(lengths, 1):
        held += n
        if held >= size:
            borders.append(i)
            held = 0
    found, seen, held = [], 0, 0
    for part in cut_full(map(batch, parts), size):
        seen += len(part.ends)
        held += len(part.tokens)
        assert part.ends[-1] == len(part.tokens)
        if held >= size:
            found.append(seen)
            held = 0
    assert (found, seen) == (borders, len(lengths))


def test_an_id_beyond_the_vocabulary_does_not_wrap():
    """65,536 stored in two bytes is 0, and nobody sees it."""

    class Liar:
        vocab_size = 1 << 16
        fingerprint = "f"
        special_tokens = {}  # noqa: RUF012

        def encode_arrays(self, texts):
            return [np.array([1 << 16]) for _ in texts]

    settings = Settings.of(Liar(), ShardConfig(end_of_text=None))
    with pytest.raises(OverflowError):
        encode_batch(Liar(), settings, ["a"])
