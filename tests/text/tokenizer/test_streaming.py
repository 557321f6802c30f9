"""A stream encodes like its text, wherever it was cut."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.tokenizer import streaming
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.patterns import PATTERNS, find_pattern

SPECIAL = ("<|endoftext|>", "<|end of turn|>", "<|end")
DOCS = list(python_docs(60_000))
PATTERN_NAMES = (*PATTERNS, r"\w+(?= \w)|\s+$|\S")
awkward = st.text(st.sampled_from("aZ1 \n\r\t'/,sl<|end日\u0301"), max_size=30)
parts = st.lists(st.one_of(awkward, st.sampled_from(SPECIAL)), max_size=12)


@cache
def trained(pattern="gpt2"):
    """A tokenizer for each pattern."""
    return BPETokenizer.train(
        DOCS, 800, pattern=pattern, special_tokens=SPECIAL
    )


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks so small that a short text is cut many times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "COLLECTED", 4)
        patch.setattr(streaming, "WINDOW", 8)
        yield


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(i % (len(text) + 1) for i in at)})
    return [text[a:b] for a, b in pairwise(places)]


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from(PATTERN_NAMES),
    parts,
    st.lists(st.integers(0, 400), max_size=40),
)
def test_cuts_change_nothing(pattern, parts, at):
    """A cut inside a special token, a contraction or a run of space."""
    tokenizer, text = trained(pattern), "".join(parts)
    stream = tokenizer.encode_iterable(cut(text, at), allowed_special="all")
    assert list(stream) == tokenizer.encode(text, allowed_special="all")
    one_by_one = tokenizer.encode_iterable(text, allowed_special="all")
    assert list(one_by_one) == tokenizer.encode(text, allowed_special="all")


@settings(deadline=None, max_examples=500)
@given(st.sampled_from([*PATTERNS]), awkward, awkward)
def test_settled_text_stays_as_it_is(name, before, after):
    """A piece given out that the next character would have changed."""
    pattern = find_pattern(name)
    settled, taken = streaming.settle(pattern, before)
    assert "".join(settled) == before[:taken]
    pieces = [p for part in settled for p in pattern.pieces(part)]
    assert pattern.pieces(before + after)[: len(pieces)] == pieces


def test_stream_is_lazy(monkeypatch):
    """A stream read to its end before the first id."""
    monkeypatch.setattr(streaming, "COLLECTED", 1 << 10)
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield "some words of text, and more\n"

    next(trained().encode_iterable(endless()))
    assert read < 100


@pytest.mark.untraced
@pytest.mark.parametrize("unit", ["word ", "a\n", "日本語，", "a,b", "   \n"])
def test_stream_holds_little(unit, monkeypatch):
    """Text without a safe place to cut that piles up in memory."""
    held = []
    settle = streaming.settle

    def watch(pattern, text):
        held.append(len(text))
        return settle(pattern, text)

    monkeypatch.setattr(streaming, "settle", watch)
    for name in PATTERNS:
        stream = trained(name).encode_iterable(unit for _ in range(5000))
        ids = trained(name).encode(unit * 5000)
        assert list(stream) == ids
        if unit.strip():
            assert max(held) < 200


def test_a_long_piece_is_not_read_again_and_again(monkeypatch):
    """Every chunk of a long word reads the word from its start."""
    looked = []
    settle = streaming.settle

    def watch(pattern, text):
        looked.append(len(text))
        return settle(pattern, text)

    monkeypatch.setattr(streaming, "settle", watch)
    list(trained().encode_iterable("a" for _ in range(20_000)))
    assert sum(looked) < 100_000


def test_forged_special_token_over_a_cut():
    """A special token that comes in two chunks and is not noticed."""
    stream = trained().encode_iterable(["x<|endof", "text|>"])
    with pytest.raises(ValueError, match="special token"):
        list(stream)


def test_stream_that_ends_in_half_a_pair():
    """The last half of a character, held back for ever."""
    tokenizer = trained()
    ids = list(tokenizer.encode_iterable(["a\ud83d"]))
    assert ids == tokenizer.encode("a\ud83d")
    assert tokenizer.decode(ids) == "a\ufffd"
