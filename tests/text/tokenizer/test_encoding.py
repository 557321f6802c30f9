"""The way through arrays and the way through caches: the same ids."""

from functools import cache

import pytest

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.arrays.encoding import BlockEncoder
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.encoding import LONG_TEXT
from scratchlm.text.tokenizer.spelling import TextSpeller

DOCS = list(python_docs())


@cache
def trained(pattern="gpt2"):
    return BPETokenizer.train(DOCS[:20], 600, pattern=pattern)


def slow(text, pattern="gpt2"):
    """What the caches give, whatever the length of the text."""
    return TextSpeller.ids(trained(pattern)._text, text).tolist()


@pytest.mark.untraced
@pytest.mark.parametrize("pattern", ["cl100k", "o200k"])
def test_the_later_patterns_take_the_same_way(pattern):
    """Arrays that cut by GPT-2's rules whatever the pattern."""
    text = "\n".join(DOCS) + " camelCase HTTPServer 123456 it's\n\n  \n"
    assert trained(pattern).encode_ordinary(text) == slow(text, pattern)


def test_the_two_ways_agree_where_they_meet():
    """A text that grows by a character and is encoded otherwise."""
    text = "\n".join(DOCS)[: LONG_TEXT + 50]
    for size in range(LONG_TEXT - 3, LONG_TEXT + 3):
        assert trained().encode_ordinary(text[:size]) == slow(text[:size])


def test_short_texts_that_cannot_be_joined_take_the_short_way(monkeypatch):
    """A block for each line that ends in space, at many times the cost of
    asking the caches."""
    lines = [text[i : i + 60] + " \n" for text in DOCS for i in (0, 60, 120)]
    seen = []
    encode = BlockEncoder.encode_group

    def watch(self, texts):
        seen.append(sum(map(len, texts)))
        return encode(self, texts)

    monkeypatch.setattr(BlockEncoder, "encode_group", watch)
    texts = [*lines, DOCS[0] * 9, *lines]
    ids = [array.tolist() for array in trained().encode_arrays(texts)]
    assert ids == [slow(text) for text in texts]
    assert len(seen) == 1
    assert seen[0] >= LONG_TEXT
