"""Vocabularies of tiktoken, both ways."""

import pytest
import tiktoken

from scratchlm.interop.tokenizers.tiktoken import (
    from_tiktoken,
    last_merge,
    to_tiktoken,
)
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS

DOCS = list(python_docs(60_000))
BYTES = {bytes([byte]): byte for byte in range(256)}


@pytest.mark.parametrize("pattern", [*PATTERNS])
def test_there_and_back(pattern):
    """A merge that cannot be told from the ranks."""
    tokenizer = BPETokenizer.train(
        DOCS, 800, pattern=pattern, special_tokens=["<|x|>"]
    )
    encoding = to_tiktoken(tokenizer, "mine")
    assert encoding.name == "mine"
    assert encoding.n_vocab == tokenizer.vocab_size
    back = from_tiktoken(encoding)
    assert back.fingerprint == tokenizer.fingerprint


def test_tokens_that_no_merge_makes():
    """A vocabulary with a whole word that tiktoken finds by lookup alone."""
    ranks = BYTES | {b"ab": 256, b"xyz": 257}
    assert last_merge(b"xyz", ranks) is None
    theirs = tiktoken.Encoding(
        "odd",
        pat_str=PATTERNS["gpt2"].expression,
        mergeable_ranks=ranks,
        special_tokens={},
    )
    ours = from_tiktoken(theirs)
    for text in ("xyz", "axyz", "abxyz xyz ab"):
        assert ours.encode(text) == theirs.encode(text)


def test_vocabularies_that_tiktoken_cannot_hold():
    """An encoding that gives other ids without a word."""
    vocab = BYTES | {b"bc": 256, b"ab": 257}
    merges = ((b"a", b"b"), (b"b", b"c"))
    unordered = BPETokenizer(pattern="gpt2", vocab=vocab, merges=merges)
    with pytest.raises(ValueError, match="do not follow the order"):
        to_tiktoken(unordered)
    vocab = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258}
    merges = ((b"a", b"b"), (b"b", b"c"), (b"a", b"bc"))
    unreachable = BPETokenizer(pattern="gpt2", vocab=vocab, merges=merges)
    with pytest.raises(ValueError, match="do not merge to"):
        to_tiktoken(unreachable)
