"""Merging one piece: short and long ways agree, and neither is quadratic."""

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.tokenizer import merging
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.merging import (
    MergeRules,
    merge_long_piece,
    merge_piece,
    token_ids,
)

BYTES = {bytes([byte]): byte for byte in range(256)}


@cache
def trained():
    return BPETokenizer.train(
        ["abacab aab aaaa bacca cabba aaab abba cc bcbc"], 275
    )


@settings(deadline=None)
@given(st.text("abc", max_size=150))
def test_long_way_equals_short_way(symbols):
    """A dead symbol merged again, or a neighbour lost from the list."""
    rules = trained().rules
    short = merge_piece(symbols, rules.ranks, rules.products)
    assert merge_long_piece(symbols, rules.ranks, rules.products) == short


class Counting(dict):
    """Ranks that count how often they are looked up."""

    lookups = 0

    def get(self, *args):
        Counting.lookups += 1
        return super().get(*args)

    def __getitem__(self, pair):
        Counting.lookups += 1
        return super().__getitem__(pair)

    def __contains__(self, pair):
        Counting.lookups += 1
        return super().__contains__(pair)


def test_a_long_piece_is_not_quadratic():
    """A megabyte without a space that takes minutes."""
    rules = trained().rules
    ranks = Counting(rules.ranks)
    piece = "".join(random.Random(0).choices("abc", k=20_000))
    merge_piece(piece, ranks, rules.products)
    assert Counting.lookups < 10 * len(piece)


def test_long_pieces_take_the_long_way(monkeypatch):
    """A threshold that no piece reaches."""
    seen = []
    monkeypatch.setattr(
        merging, "merge_long_piece", lambda s, *_: seen.append(s) or s
    )
    trained().rules.merge(b"a" * (merging.HEAP_WINS + 1))
    assert len(seen) == 1


@pytest.mark.untraced
def test_a_megabyte_of_one_letter_encodes():
    """Memory or recursion that grows with the square of the piece."""
    text = "a" * 300_000 + "b" * 300_000
    assert trained().decode(trained().encode(text)) == text


@pytest.mark.parametrize(
    ("vocab", "merges", "message"),
    [
        ({b"a": 0}, (), "lacks 255 of the 256 bytes.*0x00"),
        (BYTES | {b"ab": 5}, (), "same id"),
        (BYTES | {b"ab": -1}, (), "id -1"),
        (BYTES | {b"ab": 0x110000}, (), "id 1114112"),
        (BYTES, ((b"a", b"b"),), "needs the token b'ab'"),
    ],
)
def test_bad_vocabularies_are_named(vocab, merges, message):
    """A KeyError from the depths, or a character that no id has."""
    with pytest.raises(ValueError, match=message):
        MergeRules(vocab, merges)


SPACES = {b" " * 2: 256, b" " * 4: 257, b"in": 258, b" " * 3: 259}


def test_a_merge_may_come_before_those_of_its_parts():
    """Converted rank files, in which a token can rank below its part and
    every cut of a token is a merge: refused, or merged in another order."""
    vocab = BYTES | SPACES
    rows = sorted(
        (i, vocab[token[:k]], vocab[token[k:]], token, k)
        for token, i in SPACES.items()
        for k in range(1, len(token))
        if token[:k] in vocab and token[k:] in vocab
    )
    rules = MergeRules(vocab, [(t[:k], t[k:]) for *_, t, k in rows])
    alone = {" " * n: rules.merge(b" " * n) for n in range(9)}
    assert alone["   "] == chr(259)
    assert [len(alone[" " * n]) for n in (5, 6, 7, 8)] == [2, 2, 2, 2]
    for text, merged in alone.items():
        ways = rules.ranks, rules.products
        assert merge_long_piece(text, *ways) == merged


def test_a_token_that_nothing_merges_to():
    """whole_pieces taken for granted where it changes the ids."""
    vocab = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258}
    merges = ((b"a", b"b"), (b"b", b"c"), (b"a", b"bc"))
    rules = MergeRules(vocab, merges)
    assert not rules.all_reachable()
    assert rules.apply(b"abc") == chr(256) + "c"
    assert MergeRules(vocab, merges, True).apply(b"abc") == chr(258)
    assert MergeRules(vocab, (*merges[:2], (b"ab", b"c"))).all_reachable()


def test_ids_beyond_the_first_plane():
    """A token whose character is half of a surrogate pair to UTF-16."""
    high = [0, 0xD800, 0xDFFF, 0x10FFFF]
    assert token_ids("".join(map(chr, high))).tolist() == high
