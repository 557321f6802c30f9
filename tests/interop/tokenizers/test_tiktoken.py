"""Vocabularies of tiktoken, both ways."""

import dataclasses
import random
from base64 import b64encode

import pytest
import tiktoken
from tokenizers import Tokenizer

from scratchlm.interop.tokenizers.tiktoken import (
    from_tiktoken,
    from_tiktoken_file,
    last_merge,
    to_tiktoken,
)
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS
from scratchlm.text.tokenizer.preparation import Preparation

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
    with pytest.raises(ValueError, match="leaves it as it is"):
        to_tiktoken(
            dataclasses.replace(
                from_tiktoken(to_tiktoken(BPETokenizer.train(DOCS, 300))),
                preparation=Preparation(added_tokens={"<think>": 300}),
            )
        )


@pytest.mark.parametrize("seed", range(4))
def test_ranks_in_any_order(seed, tmp_path):
    """A token that ranks below its part, which is refused, or gets other
    ids than tiktoken's and, once saved, than Hugging Face's library."""
    rng = random.Random(seed)
    made = {"".join(rng.choices("ab ", k=rng.randint(2, 5))) for _ in "a" * 40}
    shuffled = rng.sample(sorted(made), len(made))
    ranks = BYTES | {t.encode(): 256 + i for i, t in enumerate(shuffled)}
    theirs = tiktoken.Encoding(
        "odd",
        pat_str=r"[\s\S]+",
        mergeable_ranks=ranks,
        special_tokens={"<|a|>": 999},
    )
    ours = from_tiktoken(theirs)
    ours.save(tmp_path)
    face = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    back = to_tiktoken(ours)
    for _ in range(100):
        text = "".join(rng.choices("ab ", k=rng.randrange(90)))
        text += "<|a|>"  # its id leaves a gap, as those of cl100k do
        ids = theirs.encode(text, allowed_special="all")
        assert ours.encode(text, allowed_special="all") == ids
        assert face.encode(text).ids == ids
        assert back.encode(text, allowed_special="all") == ids


def test_a_file_of_ranks(tmp_path):
    """The form in which tiktoken's and Llama 3's ranks lie on a disk."""
    encoding = to_tiktoken(BPETokenizer.train(DOCS, 400, pattern="cl100k"))
    path = tmp_path / "own.tiktoken"
    lines = [
        b64encode(token) + b" %d" % rank
        for token, rank in encoding._mergeable_ranks.items()
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    special = {"<|endoftext|>": 402}
    ours = from_tiktoken_file(path, pattern="cl100k", special_tokens=special)
    assert ours.special_tokens == special
    for text in DOCS[:5]:
        assert ours.encode(text) == encoding.encode(text)


@pytest.mark.parametrize(
    "line",
    [
        *(b"YQ==", b"YQ== x", b"YQ== 97 1", b"Y!Q= 300", b"YQ== 300"),
        *(b"Y2M= -1", b"YWE= 97", b"\xff 300"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line):
    """A binascii error from a file of a hundred thousand lines."""
    path = tmp_path / "bad.tiktoken"
    rows = [b64encode(token) + b" %d" % rank for token, rank in BYTES.items()]
    path.write_bytes(b"\n".join([*rows, b"", line]))
    with pytest.raises(ValueError, match=r"line 258 of .*bad\.tiktoken"):
        from_tiktoken_file(path, pattern="gpt2")
    with pytest.raises(ValueError, match=r"cannot read .*none"):
        from_tiktoken_file(tmp_path / "none", pattern="gpt2")
