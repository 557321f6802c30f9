"""Vocabularies of tiktoken and GPT-2, both ways."""

import json

import pytest
import tiktoken
from tokenizers import pre_tokenizers

from scratchlm.interop.tokenizers.tiktoken import (
    ALPHABET,
    from_printable,
    last_merge,
    to_printable,
)
from scratchlm.text.corpora.texts import python_docs
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS

DOCS = list(python_docs(60_000))
BYTES = {bytes([byte]): byte for byte in range(256)}


def write_gpt2_files(tokenizer, folder, header="#version: 0.2\n"):
    vocab = {to_printable(t): i for t, i in tokenizer.vocab.items()}
    vocab |= tokenizer.special_tokens
    lines = [
        f"{to_printable(a)} {to_printable(b)}\n" for a, b in tokenizer.merges
    ]
    (folder / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    (folder / "merges.txt").write_text(header + "".join(lines), "utf-8")
    return folder / "vocab.json", folder / "merges.txt"


def test_alphabet_is_that_of_the_field():
    """One byte under a character of its own."""
    assert sorted(ALPHABET.values()) == sorted(
        pre_tokenizers.ByteLevel.alphabet()
    )
    every = bytes(range(256))
    assert from_printable(to_printable(every)) == every
    assert to_printable(b" \n") == "ĠĊ"


@pytest.mark.parametrize("pattern", [*PATTERNS])
def test_there_and_back(pattern):
    """A merge that cannot be told from the ranks."""
    tokenizer = BPETokenizer.train(
        DOCS, 800, pattern=pattern, special_tokens=["<|x|>"]
    )
    encoding = tokenizer.to_tiktoken("mine")
    assert encoding.name == "mine"
    assert encoding.n_vocab == tokenizer.vocab_size
    back = BPETokenizer.from_tiktoken(encoding)
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
    ours = BPETokenizer.from_tiktoken(theirs)
    for text in ("xyz", "axyz", "abxyz xyz ab"):
        assert ours.encode(text) == theirs.encode(text)


def test_gpt2_files(tmp_path):
    """Special tokens, which only their absence from the merges betrays."""
    tokenizer = BPETokenizer.train(DOCS, 800, special_tokens=["<|a b|>"])
    for header in ("#version: 0.2\n", ""):
        files = write_gpt2_files(tokenizer, tmp_path, header)
        loaded = BPETokenizer.from_gpt2_files(*map(str, files))
        assert loaded.fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", "[]", "vocab.json is not a vocab.json"),
        ("vocab.json", '{"a": "b"}', "not a vocab.json"),
        ("vocab.json", "{", "cannot read .*vocab.json"),
        ("vocab.json", "{}", "lacks"),
        ("vocab.json", None, "cannot read .*vocab.json"),
        ("merges.txt", None, "cannot read .*merges.txt"),
        ("merges.txt", "a b c\n", "line 1 of .*'a b c'"),
        ("merges.txt", "#version\nab\n", "line 2 of"),
        ("merges.txt", "語 b\n", "'語'.*alphabet"),
        ("merges.txt", "a b\nQ ~~~\n", "needs the token"),
    ],
)
def test_malformed_gpt2_files(tmp_path, name, content, message):
    """A traceback from json, or a tokenizer with half its merges."""
    tokenizer = BPETokenizer.train(DOCS, 300)
    files = write_gpt2_files(tokenizer, tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(ValueError, match=message):
        BPETokenizer.from_gpt2_files(*files)


def test_vocabularies_that_tiktoken_cannot_hold():
    """An encoding that gives other ids without a word."""
    vocab = BYTES | {b"bc": 256, b"ab": 257}
    merges = ((b"a", b"b"), (b"b", b"c"))
    unordered = BPETokenizer(pattern="gpt2", vocab=vocab, merges=merges)
    with pytest.raises(ValueError, match="do not follow the order"):
        unordered.to_tiktoken()
    vocab = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258}
    merges = ((b"a", b"b"), (b"b", b"c"), (b"a", b"bc"))
    unreachable = BPETokenizer(pattern="gpt2", vocab=vocab, merges=merges)
    with pytest.raises(ValueError, match="do not merge to"):
        unreachable.to_tiktoken()
