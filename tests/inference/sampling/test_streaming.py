"""Streams of text, against the text of all tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.sampling.streaming import TextStream


def streamed(stream, ids):
    """The parts, and how many tokens it took until it stopped."""
    told = []
    for i in ids:
        told.append(stream.push(i))
        if stream.stopped:
            break
    return [*told, stream.finish()]


def cut(text, stops):
    """Before the stop text that ends first, and of those the longest."""
    for end in range(len(text) + 1):
        met = [stop for stop in stops if text[:end].endswith(stop)]
        if met:
            return text[: end - max(map(len, met))], True
    return text, False


@given(data=st.data())
def test_equals_decode_cut_at_the_stop(tokenizer, known, data):
    """Characters lost at a cut, a stop across tokens that is missed, or one
    of which a part has been shown."""
    some = st.sampled_from(known(tokenizer))
    ids = data.draw(st.lists(some, max_size=30))
    text = tokenizer.decode(ids)
    spans = data.draw(
        st.lists(
            st.tuples(st.integers(0, max(0, len(text))), st.integers(1, 5)),
            max_size=3,
        )
    )
    stops = [text[at : at + n] for at, n in spans] + ["a never", "ab"]
    stops = [stop for stop in stops if stop]
    stream = TextStream(tokenizer, stop=stops)
    told = streamed(stream, ids)
    assert ("".join(told), stream.stopped) == cut(text, stops)
    if stream.stopped:
        assert stream.push(ids[0]) == stream.finish() == ""


@given(
    st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1), max_size=3)
)
def test_overlapping_stops(tokenizers, text, stops):
    """Stops that share a beginning or lie inside one another, letter by
    letter: the one that ends first counts, as a model would have stopped."""
    bpe = tokenizers["bpe"]
    stream = TextStream(bpe, stop=stops)
    ids = [i for letter in text for i in bpe.encode(letter)]
    assert ("".join(streamed(stream, ids)), stream.stopped) == cut(text, stops)


def test_text_comes_at_once_unless_a_stop_may_begin(tokenizers):
    """Held back without need, or shown and not to be taken back: aprender
    #2019 had ``stop`` without effect."""
    bpe = tokenizers["bpe"]
    stream = TextStream(bpe, stop=["\nQ:"])
    letters = [bpe.encode(c)[0] for c in "a\nQ\nQ:b"]
    assert [stream.push(i) for i in letters] == [
        "a", "", "", "\nQ", "", "", "",
    ]  # fmt: skip
    assert stream.stopped
    assert stream.finish() == ""


def test_the_rest_is_told_at_the_end(tokenizers):
    """The beginning of a stop at the end of a text is text."""
    bpe = tokenizers["bpe"]
    stream = TextStream(bpe, stop=["\nQ:"])
    assert [stream.push(i) for i in bpe.encode("\n")] == [""]
    assert stream.finish() == "\n"
    assert stream.finish() == ""
    assert not stream.stopped


def test_special_tokens_keep_their_names(tokenizers):
    """decode shows them, and so does the stream; a stop may name one."""
    bpe = tokenizers["bpe"]
    end = bpe.special_tokens["<|endoftext|>"]
    ids = [*bpe.encode("sea"), end, *bpe.encode("shells")]
    assert "".join(streamed(TextStream(bpe), ids)) == bpe.decode(ids)
    stream = TextStream(bpe, stop=["<|endoftext|>"])
    assert "".join(streamed(stream, ids)) == "sea"


def test_an_unknown_id_is_refused(tokenizers):
    """Text that silently lacks a token."""
    with pytest.raises(ValueError, match="not the id of a token"):
        TextStream(tokenizers["bpe"]).push(10_000)


@pytest.mark.parametrize(
    ("stop", "message"), [([""], "is empty"), ("stop", "is one string")]
)
def test_stops_that_are_none_are_refused(tokenizers, stop, message):
    """The empty text stops at once; a string is a list of letters."""
    with pytest.raises(ValueError, match=message):
        TextStream(tokenizers["bpe"], stop=stop)
