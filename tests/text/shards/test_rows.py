from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.shards.packing import document_mask
from scratchlm.text.shards.rows import (
    IGNORED,
    ChoppedRows,
    PackedRows,
    cut_long,
)
from scratchlm.text.shards.writing import ShardConfig, write_shards
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"
END_ID = 257
LENGTHS = [3, 1, 7, 20, 2, 0, 5, 1, 9, 4]
DOCS = ["".join(chr(97 + i) for _ in range(n)) for i, n in enumerate(LENGTHS)]


@cache
def trained():
    return BPETokenizer.train(["ab ab"], 258, special_tokens=[END])


@pytest.fixture(scope="module", params=[1, 9, 1000])
def shards(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    config = ShardConfig(shard_tokens=request.param)
    return write_shards(DOCS, trained(), folder, config, workers=1)


def everything(rows):
    return rows.gather(np.arange(len(rows)))


@pytest.mark.parametrize("n_tokens", [1, 4, 5, 61])
def test_targets_are_the_next_tokens(shards, n_tokens):
    """A model that learns to repeat its input, or to skip a token: both
    have a loss that falls."""
    flat = shards.read(0, shards.n_tokens).tolist()
    rows = ChoppedRows(shards, n_tokens)
    batch = everything(rows)
    used = len(rows) * n_tokens
    assert len(flat) - 1 - n_tokens < used <= len(flat) - 1
    assert batch.tokens.ravel().tolist() == flat[:used]
    assert batch.targets.ravel().tolist() == flat[1 : used + 1]
    assert batch.documents is None
    assert batch.tokens.dtype == batch.targets.dtype == np.int64


def test_rows_come_in_the_order_asked_for(shards):
    """Rows sorted by shard on the way, and targets of other rows."""
    for rows in (
        ChoppedRows(shards, 4, documents=True),
        PackedRows(shards, 4),
    ):
        whole = everything(rows)
        numbers = np.random.default_rng(0).permutation(len(rows))
        some = rows.gather(numbers)
        for name in ("tokens", "targets", "documents", "positions"):
            expected = getattr(whole, name)[numbers]
            assert getattr(some, name).tolist() == expected.tolist(), name


def test_chopped_documents_begin_with_an_end(shards):
    """Documents that leak into each other: the end of one is read as the
    beginning of the next, and so belongs to it."""
    batch = everything(ChoppedRows(shards, 6, documents=True))
    for tokens, documents, positions in zip(
        batch.tokens, batch.documents, batch.positions, strict=True
    ):
        number = place = 0
        for t, token in enumerate(tokens):
            if token == END_ID:
                number, place = number + 1, 0
            assert (documents[t], positions[t]) == (number, place)
            place += 1
    mask = document_mask(batch.documents)
    for row, tokens in enumerate(batch.tokens):
        for t, s in np.argwhere(mask[row]):
            letters = set(tokens[s : t + 1].tolist()) - {END_ID}
            assert len(letters) <= 1  # each document is of one letter


@pytest.mark.parametrize("n_tokens", [1, 4, 8, 21, 64])
def test_packing_predicts_each_token_once(shards, n_tokens):
    """A token that is never a target, or that is one twice; a first token
    that a model never learns to begin with."""
    batch = everything(PackedRows(shards, n_tokens))
    real = batch.targets != IGNORED
    flat = shards.read(0, shards.n_tokens)
    assert sorted(batch.targets[real]) == sorted(flat.tolist())
    assert (batch.documents[~real] == -1).all()
    assert (batch.tokens[~real] == END_ID).all()
    begins = real & (batch.positions == 0) & (batch.tokens == END_ID)
    assert begins.sum() == len(DOCS)


@settings(max_examples=100)
@given(st.data())
def test_packed_rows_equal_a_loop(shards, data):
    """A piece that starts one token off, or goes to another row."""
    n_tokens = data.draw(st.integers(1, 30))
    rows = PackedRows(shards, n_tokens)
    number = data.draw(st.integers(0, len(rows) - 1))
    batch = rows.gather(np.array([number]))
    flat = shards.read(0, shards.n_tokens).tolist()
    tokens, targets, documents, positions = [], [], [], []
    pieces = rows._order[slice(*rows._bounds[number : number + 2])]
    for i, piece in enumerate(pieces.tolist()):
        start, n = int(rows._starts[piece]), int(rows._lengths[piece])
        tokens += [END_ID if start == 0 else flat[start - 1]]
        tokens += flat[start : start + n - 1]
        targets += flat[start : start + n]
        documents += [i] * n
        positions += range(n)
    padding = n_tokens - len(tokens)
    assert batch.tokens[0].tolist() == tokens + padding * [END_ID]
    assert batch.targets[0].tolist() == targets + padding * [IGNORED]
    assert batch.documents[0].tolist() == documents + padding * [-1]
    assert batch.positions[0].tolist() == positions + padding * [0]


def test_long_documents_are_cut():
    """A piece of no tokens behind a document that fills its rows."""
    starts, lengths = cut_long(np.array([0, 4, 8, 17, 17]), 4)
    assert starts.tolist() == [0, 4, 8, 12, 16]
    assert lengths.tolist() == [4, 4, 4, 4, 1]


def test_rows_that_cannot_be_are_named(shards, tmp_path):
    """Zero rows, and a division by zero at the first epoch."""
    for make in (ChoppedRows, PackedRows):
        with pytest.raises(ValueError, match="n_tokens is 0; give 1"):
            make(shards, 0)
    with pytest.raises(ValueError, match="62 tokens, and a row of 62"):
        ChoppedRows(shards, 62)
    config = ShardConfig(end_of_text=None)
    bare = write_shards(DOCS, trained(), tmp_path, config, workers=1)
    ChoppedRows(bare, 4)
    with pytest.raises(ValueError, match=r"no end; write.*end_of_text"):
        ChoppedRows(bare, 4, documents=True)
    with pytest.raises(ValueError, match=r"no end; write.*end_of_text"):
        PackedRows(bare, 4)


def test_fingerprints_tell_rows_apart(shards):
    """A run resumed on rows that were cut in another way."""
    prints = {
        ChoppedRows(shards, 4).fingerprint,
        ChoppedRows(shards, 5).fingerprint,
        PackedRows(shards, 4).fingerprint,
    }
    assert len(prints) == 3
