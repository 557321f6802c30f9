"""The cache remembers, within bounds."""

from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.spelling import (
    CHUNKS_KEPT,
    LONGEST_KEPT,
    Remembered,
)


def test_results_are_computed_once():
    """A cache that is asked and never filled."""
    asked = []
    cache = Remembered(lambda text: asked.append(text) or text.upper())
    assert [cache[key] for key in "abab"] == ["A", "B", "A", "B"]
    assert asked == ["a", "b"]


def test_cache_is_bounded():
    """A stream of new words that fills the memory."""
    cache = Remembered(str.upper, limit=10)
    for i in range(1000):
        assert cache[str(i)] == str(i)
        assert len(cache) <= 10
    assert "x" * (LONGEST_KEPT + 1) not in cache
    assert cache["x" * (LONGEST_KEPT + 1)] == "X" * (LONGEST_KEPT + 1)
    assert len(cache) <= 10


def test_tokenizer_keeps_its_caches_bounded():
    """A limit that the tokenizer does not pass on."""
    tokenizer = BPETokenizer.train(["a b c"], 256)
    assert tokenizer._text.chunks.limit == CHUNKS_KEPT
    assert tokenizer._text.pieces.limit == CHUNKS_KEPT // 4
    tokenizer._text.chunks.limit = tokenizer._text.pieces.limit = 50
    text = " ".join(map(str, range(1000)))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer._text.chunks) <= 50
