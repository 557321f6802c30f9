"""Training: fast equals naive, and bad input is named."""

import gc
import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.foundation import parallel
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import find_pattern
from scratchlm.text.tokenizer.training import count_pieces, learn_merges

EXAMPLE = "she sells sea shells"
DOCS = list(python_docs(25_000))


def train_naively(
    texts: list[str], n_merges: int, pattern: str = "gpt2"
) -> list[tuple[bytes, bytes]]:
    """The chapter's loop: count every pair of every word, merge, repeat."""
    counts = Counter(
        piece for text in texts for piece in find_pattern(pattern).pieces(text)
    )
    words = [
        ([bytes([byte]) for byte in piece.encode()], count)
        for piece, count in counts.items()
    ]
    merges: list[tuple[bytes, bytes]] = []
    while len(merges) < n_merges:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, count in words:
            for pair in pairwise(word):
                pairs[pair] += count
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = [(merge_pair(word, best), count) for word, count in words]
    return merges


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


def test_worked_example():
    """The by-hand loop of the chapter and the package part ways."""
    tokenizer = BPETokenizer.train([EXAMPLE], 262)
    assert list(tokenizer.merges) == train_naively([EXAMPLE], 6)
    assert [a + b for a, b in tokenizer.merges] == [
        b" s", b"ls", b"lls", b"he", b" se", b"she"
    ]  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text("abc é", max_size=40)), st.integers(0, 40))
def test_incremental_equals_naive(texts, n_merges):
    """A pair count that drifts where pairs overlap, as in "aaaa"."""
    fast = learn_merges(count_pieces(texts, "gpt2"), n_merges)
    assert fast == train_naively(texts, n_merges)


@pytest.mark.untraced
def test_incremental_equals_naive_on_real_text():
    """Counts that drift only after hundreds of merges."""
    fast = learn_merges(count_pieces(DOCS, "cl100k"), 200)
    assert fast == train_naively(DOCS, 200, "cl100k")


def test_a_tie_goes_to_the_greatest_pair_of_byte_strings():
    """Ties that depend on the order in which pairs were met, or that
    compare the joined bytes, for which (a, bz) is below (ab, a)."""
    counts = {"ab": 2, "zz": 2, "ba": 2}
    first = learn_merges(counts, 3)
    assert first == [(b"z", b"z"), (b"b", b"a"), (b"a", b"b")]
    for _ in range(5):
        items = random.sample(list(counts.items()), 3)
        assert learn_merges(dict(items), 3) == first
    # "ab" and "abc" both stand left of something, and the longer is greater.
    tied = learn_merges({"ab": 9, "abc": 8, "abx": 3, "abcx": 3}, 4)
    assert tied[2] == (b"abc", b"x")


@pytest.mark.untraced
@pytest.mark.parametrize("pattern", ["gpt2", "o200k", r"\S+"])
def test_workers_do_not_change_the_vocabulary(pattern, monkeypatch):
    """Counts summed in the order in which the processes finish."""
    monkeypatch.setattr(parallel, "BATCH", 5000)
    prints = {
        BPETokenizer.train(
            iter(DOCS), 600, pattern=pattern, workers=workers
        ).fingerprint
        for workers in (None, 1, 2, 3)
    }
    assert len(prints) == 1


def test_counts_are_those_of_the_pieces():
    """Distinct chunks counted once each."""
    pieces = find_pattern("cl100k").pieces
    expected = Counter(piece for text in DOCS for piece in pieces(text))
    assert count_pieces(DOCS, "cl100k") == expected


def test_text_with_too_few_pairs_gives_a_smaller_vocabulary():
    """An endless loop, or a silent vocabulary of another size."""
    with pytest.warns(UserWarning, match="only 2 merges.*258"):
        tokenizer = BPETokenizer.train(["ab ab"], 300, workers=1)
    assert tokenizer.vocab_size == 258
    assert BPETokenizer.train(["abc"], 256).merges == ()


def test_spelled_special_tokens_do_not_count():
    """A corpus with one mark per document, whose letters take the first
    merges although no text is ever encoded to them."""
    plain = BPETokenizer.train(["she sells", "sea shells"], 261)
    marked = "<|end|>she sells<|end|><|end|>sea shells<|end|>"
    tokenizer = BPETokenizer.train([marked], 262, special_tokens=["<|end|>"])
    assert tokenizer.merges == plain.merges
    with_colon = r"[^:]+:?"
    tokenizer = BPETokenizer.train(
        ["a:bb:a:"], 258, pattern=with_colon, special_tokens=[":"]
    )
    assert tokenizer.merges == ((b"b", b"b"),)


def test_special_tokens_come_last(capsys):
    """Special tokens that shift the ids of the others."""
    tokenizer = BPETokenizer.train(
        [EXAMPLE], 264, special_tokens=["<|b|>", "<|a|>"], progress=True
    )
    assert tokenizer.special_tokens == {"<|b|>": 262, "<|a|>": 263}
    assert tokenizer.vocab[b"she"] == 261
    assert "merges" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("texts", "size", "options", "message"),
    [
        ([EXAMPLE], 255, {}, "vocab_size is 255.*at least"),
        ([EXAMPLE], 256, {"special_tokens": ["<|a|>"]}, "256.*1 special.*257"),
        ([], 300, {}, "no text"),
        (["", ""], 300, {}, "no text"),
        (EXAMPLE, 300, {}, "one string.*list"),
        ([EXAMPLE], 300, {"special_tokens": ["x", "x"]}, "'x'.*twice"),
        ([EXAMPLE], 300, {"special_tokens": [""]}, "empty"),
        ([EXAMPLE], 300, {"pattern": "("}, r"bad pattern '\('.*gpt2"),
        ([EXAMPLE], 300, {"pattern": ""}, "empty text"),
        ([EXAMPLE], 300, {"pattern": "a*"}, "empty text"),
        ([EXAMPLE], 300, {"workers": 0}, "workers is 0"),
    ],
)
def test_bad_input_is_named(texts, size, options, message):
    """A KeyError from the depths, or a vocabulary that is not as asked."""
    with pytest.raises(ValueError, match=message):
        BPETokenizer.train(texts, size, **options)


def test_the_collector_runs_again_after_training():
    """A process that trained once, and never frees a cycle again; or one
    that had its collector off on purpose, and finds it on."""
    for was_on in (True, False):
        (gc.enable if was_on else gc.disable)()
        learn_merges({"abc": 2}, 1)
        assert gc.isenabled() is was_on
    gc.enable()
