from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.tokenizer.arrays import merging
from scratchlm.text.tokenizer.arrays.merging import ArrayMerger
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.merging import token_ids


@cache
def trained():
    return BPETokenizer.train(
        ["she sells sea shells aaaa aaaaaaa abab ababab", "日本 日本語"], 280
    )


@cache
def merger():
    return ArrayMerger(trained().rules)


@given(st.lists(st.text("she alb日本", min_size=1, max_size=5), min_size=1))
def test_rows_merge_as_one_piece_does(pieces):
    """A pair merged out of turn, in one row because of another; or *aaa*,
    merged from its end."""
    data = [piece.encode() for piece in pieces]
    letters = np.frombuffer(
        b"".join(piece.ljust(16, b"a") for piece in data), np.uint8
    ).reshape(-1, 16)
    lengths = np.array([*map(len, data)])
    few = merger().merge(letters, lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "FEW", 0)
        tokens, counts = merger().merge(letters, lengths)
    assert [*map(list, few)] == [tokens.tolist(), counts.tolist()]
    alone = [token_ids(trained().rules.merge(piece)) for piece in data]
    assert counts.tolist() == [*map(len, alone)]
    assert tokens.tolist() == np.concatenate(alone).tolist()


def test_a_vocabulary_without_merges(monkeypatch):
    """An empty table of ranks."""
    monkeypatch.setattr(merging, "FEW", 0)
    plain = ArrayMerger(BPETokenizer.train(["x"], 256).rules)
    letters = np.frombuffer(b"abab", np.uint8).reshape(1, -1)
    tokens, counts = plain.merge(letters, np.array([4]))
    assert (tokens.tolist(), counts.tolist()) == ([97, 98, 97, 98], [4])
