"""The two files of GPT-2."""

import json

import pytest

from scratchlm.interop.tokenizers.gpt2 import from_gpt2_files
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.printable import to_printable

DOCS = list(python_docs(60_000))


def write_gpt2_files(tokenizer, folder, header="#version: 0.2\n"):
    vocab = {to_printable(t): i for t, i in tokenizer.vocab.items()}
    vocab |= tokenizer.special_tokens
    lines = [
        f"{to_printable(a)} {to_printable(b)}\n" for a, b in tokenizer.merges
    ]
    (folder / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    (folder / "merges.txt").write_text(header + "".join(lines), "utf-8")
    return folder / "vocab.json", folder / "merges.txt"


def test_gpt2_files(tmp_path):
    """Special tokens, which only their absence from the merges betrays."""
    tokenizer = BPETokenizer.train(DOCS, 800, special_tokens=["<|a b|>"])
    for header in ("#version: 0.2\n", ""):
        files = write_gpt2_files(tokenizer, tmp_path, header)
        loaded = from_gpt2_files(*map(str, files))
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
        from_gpt2_files(*files)
