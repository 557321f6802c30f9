"""Text that is certain, of each family."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.inference.sampling.spelling import (
    ByteSpeller,
    LateSpeller,
    Speller,
    TextSpeller,
    byte_tokens,
    speller,
)

KINDS = {
    "bpe": ByteSpeller,
    "unigram": ByteSpeller,
    "unigram-unknown": ByteSpeller,
    "wordpiece": TextSpeller,
    "sentencepiece": TextSpeller,
    "llama": TextSpeller,
    "strip-both": LateSpeller,
}


def parts(tokenizer, ids):
    spell = speller(tokenizer)
    assert isinstance(spell, Speller)
    return [*map(spell.push, ids), spell.finish()]


@given(data=st.data())
def test_what_is_told_stays_true(tokenizer, known, data):
    """At each token the text so far begins the text of the whole, whatever
    comes; at the end it is the whole."""
    ids = data.draw(ids_of(tokenizer, known))
    told = parts(tokenizer, ids)
    assert "".join(told) == tokenizer.decode(ids)


def ids_of(tokenizer, known):
    """Ids, and often bytes, of which some make no character."""
    some = st.sampled_from(known(tokenizer))
    of_byte = {byte: i for i, byte in byte_tokens(tokenizer).items()}
    if not of_byte:
        return st.lists(some, max_size=20)
    spoilt = st.sampled_from([[0xE4], [0xBD, 0xA0], [0xFF], [0x80], [0xF0]])
    whole = st.characters(min_codepoint=0x80, codec="utf8").map(
        lambda c: list(c.encode())
    )
    runs = (spoilt | whole).map(lambda run: [of_byte[b] for b in run])
    return st.lists(runs | some.map(lambda i: [i]), max_size=20).map(
        lambda lists: [i for ids in lists for i in ids]
    )


@pytest.mark.parametrize("name", KINDS)
def test_each_family_has_its_speller(tokenizers, name):
    """A family whose text could be told at once waits for the end."""
    assert type(speller(tokenizers[name])) is KINDS[name]


@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_no_half_character_and_no_delay(tokenizers, name):
    """aprender#2019: a character of several bytes was split over two chunks,
    and both showed U+FFFD. Held until the next space, text comes late."""
    tokenizer = tokenizers[name]
    ids = [i for b in "é🐚a".encode() for i in _byte(tokenizer, b)]
    told = parts(tokenizer, ids)
    assert [part for part in told if part] == ["é", "🐚", "a"]
    assert told[1] == "é"
    assert told[5] == "🐚"


def _byte(tokenizer, byte):
    if hasattr(tokenizer, "byte_ids"):
        return [tokenizer.byte_ids[byte]]
    return [tokenizer.vocab[bytes([byte])]]


def test_a_true_replacement_character_is_told_at_once(tokenizers):
    """Taken for half a character, it is held back for ever."""
    bpe = tokenizers["bpe"]
    ids = bpe.encode("a\ufffd")
    told = parts(bpe, ids)
    assert "".join(told[: len(ids)]) == "a\ufffd"
    assert told[-1] == ""


def test_a_broken_character_at_the_end_is_told_by_finish(tokenizers):
    """What decode shows must not be lost."""
    bpe = tokenizers["bpe"]
    ids = [bpe.vocab[bytes([b])] for b in "é".encode()[:1]]
    assert parts(bpe, ids) == ["", "\ufffd"]


def test_sentencepiece_tells_characters_and_llamas_file_whole_runs(
    tokenizers,
):
    """The decoder of Llama's tokenizer.json shows a run of bytes as U+FFFD
    if one of them is bad, so that no character of it is certain before its
    end; sentencepiece itself decides byte by byte."""
    run = "海の".encode()
    for name, n_early in [("sentencepiece", 2), ("llama", 0)]:
        tokenizer = tokenizers[name]
        of_byte = {b: i for i, b in byte_tokens(tokenizer).items()}
        a = tokenizer.vocab["a"]
        ids = [a, *(of_byte[b] for b in run), a]
        told = parts(tokenizer, ids)
        assert "".join(told) == "a海のa" == tokenizer.decode(ids)
        assert sum(len(part) for part in told[1:-2]) == n_early
        spoilt = [*ids[:-1], of_byte[0xFF], a]
        assert "".join(parts(tokenizer, spoilt)) == tokenizer.decode(spoilt)


def test_a_long_text_is_not_decoded_from_its_start(tokenizers, monkeypatch):
    """The cost of n tokens would be the square of n."""
    tokenizer = tokenizers["llama"]
    spell = speller(tokenizer)
    longest, decode = [0], spell.decode

    def watched(ids):
        longest[0] = max(longest[0], len(ids))
        return decode(ids)

    spell.decode = watched
    for token in tokenizer.encode("ab a" * 200):
        spell.push(token)
    assert 1 < longest[0] < 5


def test_bytes_of_tokens(tokenizers):
    """One byte off, and every character is another."""
    assert byte_tokens(tokenizers["bpe"]) == {}
    assert byte_tokens(tokenizers["wordpiece"]) == {}
    found = byte_tokens(tokenizers["llama"])
    assert found[tokenizers["llama"].vocab["<0x41>"]] == 0x41
    assert len(found) == 256
    assert sorted(byte_tokens(tokenizers["unigram"]).values()) == [*range(256)]
