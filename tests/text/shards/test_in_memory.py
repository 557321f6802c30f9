"""Ids in memory give the rows, the order and the state that shards give."""

import numpy as np
import pytest
import torch

from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.in_memory import ArrayRows, MemoryTokens
from scratchlm.text.shards.rows import ChoppedRows, PackedRows
from scratchlm.text.shards.token_maps import TokenMaps
from scratchlm.text.shards.writing import ShardConfig, write_shards
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"
END_ID = 257
LENGTHS = [3, 1, 7, 20, 2, 0, 5, 1, 9, 4]
DOCS = ["".join(chr(97 + i) for _ in range(n)) for i, n in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same documents, on a disk and in memory."""
    tok = BPETokenizer.train(["ab ab"], 258, special_tokens=[END])
    folder = tmp_path_factory.mktemp("shards")
    shards = write_shards(DOCS, tok, folder, ShardConfig(), workers=1)
    return shards, MemoryTokens(map(tok.encode, DOCS), END_ID)


def equal(one, other):
    for a, b in zip(one, other, strict=True):
        assert (a is None) == (b is None)
        assert a is None or (np.array_equal(a, b) and a.dtype == b.dtype)


@pytest.mark.parametrize("maps", [None, TokenMaps])
def test_rows_are_those_of_shards(both, maps):
    """A second way to cut, with an end or a token less."""
    shards, memory = both
    if maps:
        memory = MemoryTokens(list(shards), END_ID, maps=maps)
    assert len(memory) == len(shards) == len(DOCS)
    assert memory.n_tokens == shards.n_tokens
    starts = memory.document_starts()
    assert starts.tolist() == shards.document_starts().tolist()
    for make in (
        lambda tokens: ChoppedRows(tokens, 4),
        lambda tokens: ChoppedRows(tokens, 4, documents=True),
        lambda tokens: PackedRows(tokens, 8),
    ):
        ours, theirs = make(memory), make(shards)
        assert len(ours) == len(theirs)
        numbers = np.arange(len(ours))
        equal(ours.gather(numbers), theirs.gather(numbers))


def test_order_and_state_are_those_of_shards(both):
    """A run in memory that cannot be resumed, or that takes the state of
    another corpus."""
    config = BatchConfig(batch_size=4, seed=3)
    one, other = (Batches(PackedRows(each, 8), config) for each in both)
    for _ in range(5):
        equal(next(one), next(other))
    resumed = Batches(PackedRows(both[1], 8), config)
    resumed.load_state_dict(other.state_dict())
    equal(next(resumed), next(other))
    less = MemoryTokens([[1, 2]] * 9, END_ID)
    with pytest.raises(ValueError, match="another sequence of samples"):
        Batches(PackedRows(less, 8), config).load_state_dict(
            other.state_dict()
        )


def test_rows_that_are_cut_already():
    """Targets that are the inputs, or a batch that is a view of the corpus
    and changes it."""
    rows = np.arange(60, dtype=np.uint16).reshape(6, 10) % 7
    batches = Batches(
        ArrayRows(rows), BatchConfig(batch_size=6, shuffle=False)
    )
    batch = next(batches)
    assert np.array_equal(batch.tokens, rows[:, :-1])
    assert np.array_equal(batch.targets, rows[:, 1:])
    assert batch.documents is None
    batch.tokens[:] = 0
    assert rows.any()
    named = ArrayRows(rows, end_id=0).gather(np.arange(6))
    assert np.array_equal(named.tokens, rows[:, :-1])
    for row in range(6):
        for t in range(9):
            before = rows[row, : t + 1].tolist()
            assert named.documents[row, t] == before.count(0)
            last = max((i for i, x in enumerate(before) if x == 0), default=0)
            assert named.positions[row, t] == t - last
    changed = rows.copy()
    changed[3, 3] += 1
    assert ArrayRows(changed).fingerprint != ArrayRows(rows).fingerprint
    assert ArrayRows(rows, 0).fingerprint != ArrayRows(rows).fingerprint


def test_tensors_take_batches_without_a_copy(both):
    """An array that torch has to copy, since it may not be written to or is
    of a type that it lacks."""
    rows = np.arange(60, dtype=np.uint16).reshape(6, 10)
    for each in (
        *(ChoppedRows(tokens, 4, documents=True) for tokens in both),
        *(PackedRows(tokens, 8) for tokens in both),
        ArrayRows(rows, 0),
    ):
        batch = next(Batches(each, BatchConfig(batch_size=4)))
        for array in batch:
            assert array.flags.writeable
            assert array.flags.aligned
            tensor = torch.from_numpy(array)
            assert tensor.data_ptr() == array.__array_interface__["data"][0]
            assert tensor.dtype in (torch.int64, torch.int32)


def test_what_is_no_list_of_ids_is_refused():
    """A number that is not one of a vocabulary, and -100 that becomes a large
    id."""
    for bad in ([[-1]], [[1 << 32]], [[1 << 70]], [np.array([1 << 40])]):
        with pytest.raises(ValueError, match=r"document 0 (is|has)"):
            MemoryTokens(bad, 0)
    with pytest.raises(ValueError, match="no documents"):
        MemoryTokens([], 0)
    with pytest.raises(ValueError, match="end_id has"):
        MemoryTokens([[1]], -1)
    with pytest.raises(ValueError, match="rows have 1 ids"):
        ArrayRows(np.zeros((3, 1), np.int64))
    with pytest.raises(ValueError, match="the array has ids from -100"):
        ArrayRows(np.full((3, 4), -100))
    with pytest.raises(ValueError, match=r"documents in memory .* no end"):
        PackedRows(MemoryTokens([[1, 2]]), 4)


def test_an_end_is_added_where_it_is_missing():
    """Two ends in a row are an empty document that nobody wrote."""
    tokens = MemoryTokens([[1, 2], [3, 0], []], 0)
    assert tokens.document_starts().tolist() == [0, 3, 5, 6]
    ids = tokens.ranges(np.array([0]), np.array([6]))
    assert ids.tolist() == [1, 2, 0, 3, 0, 0]
    assert MemoryTokens([[], [1]]).document_starts().tolist() == [0, 0, 1]
