"""Rules that end a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.sampling.stopping import (
    AnyOf,
    StopSequences,
    StopTexts,
    StopTokens,
)


def first_stop(stop, ids):
    """How many tokens are written before the rule says stop."""
    return next(
        (n for n in range(len(ids) + 1) if stop(ids[:n])), len(ids) + 1
    )


def test_tokens_and_sequences_by_hand():
    """A sequence that is looked for at the beginning, or a row without a
    token that stops."""
    stop = StopTokens([5, 6])
    assert [stop(ids) for ids in ([], [5], [5, 1], [1, 6])] == [
        False, True, False, True,
    ]  # fmt: skip
    stop = StopSequences([[1, 2], [3]])
    written = [[], [2], [1, 2], [1, 2, 1], [1, 1, 2], [2, 3]]
    assert [stop(ids) for ids in written] == [
        False, False, True, False, True, True,
    ]  # fmt: skip
    assert StopSequences([(1, 2)])((1, 2))


def test_any_of_some_rules():
    """All of them asked for, a text never ends."""
    stop = AnyOf(StopTokens([5]), StopSequences([[1, 2]]))
    assert [stop(ids) for ids in ([5], [1, 2], [2, 1])] == [True, True, False]
    assert not AnyOf()([5])


def test_a_text_is_found_across_the_borders_of_tokens(tokenizers):
    """aprender#2019: the field ``stop`` was ignored. Compared by ids, a text
    that the model spells in another way is not found either."""
    bpe = tokenizers["bpe"]
    stop = StopTexts(bpe, ["sea sh"])
    whole = bpe.encode("she sells sea shells")
    single = [i for c in "she sells sea shells" for i in bpe.encode(c)]
    assert len(whole) < len(single)
    for ids in (whole, single):
        n = first_stop(stop, ids)
        assert "sea sh" in bpe.decode(ids[:n])
        assert "sea sh" not in bpe.decode(ids[: n - 1])


SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=2)


@given(data=st.data())
def test_a_text_stops_where_it_is_complete(tokenizer, known, data):
    """The end alone is decoded: a character cut at its start, a space that
    the first token loses, tokens without text, one token with a long text."""
    ids = st.sampled_from(known(tokenizer))
    some = data.draw(st.lists(ids, min_size=1, max_size=3))
    written = data.draw(
        st.lists(st.sampled_from(some) | ids, min_size=1, max_size=40)
    )
    text = tokenizer.decode(written)
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    stops = [text[start : start + n] for n in data.draw(SIZES)] + ["~never~"]
    stops = [stop for stop in stops if stop]
    stop = StopTexts(tokenizer, stops)
    naive = first_stop(
        lambda ids: any(s in tokenizer.decode(ids) for s in stops), written
    )
    assert first_stop(stop, written) == naive


def test_only_the_end_is_decoded(tokenizers, monkeypatch):
    """Decoded from the beginning behind each token, a text of n tokens costs
    the square of n."""
    bpe = tokenizers["bpe"]
    stop = StopTexts(bpe, ["never"])
    decoded, decode = [], type(bpe).decode

    def watched(self, ids, *args):
        decoded.append(len(ids))
        return decode(self, ids, *args)

    monkeypatch.setattr(type(bpe), "decode", watched)
    assert not stop(bpe.encode("she sells sea shells " * 100))
    assert 0 < sum(decoded) < 100


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: StopTokens([]), "no ids to stop at; give one or more"),
        (lambda t: StopSequences([]), "no sequences to stop at"),
        (lambda t: StopSequences([[1], []]), "no ids in a sequence"),
        (lambda t: StopTexts(t, []), "no texts to stop at"),
        (lambda t: StopTexts(t, ["a", ""]), "no characters in a text"),
        (lambda t: StopTexts(t, "stop"), "texts is one string"),
    ],
)
def test_rules_that_stop_at_once_or_never_are_refused(
    make, message, tokenizers
):
    """The empty text is in every text, and a string is a list of letters."""
    with pytest.raises(ValueError, match=message):
        make(tokenizers["bpe"])
