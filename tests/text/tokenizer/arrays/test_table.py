import numpy as np
import pytest

from scratchlm.text.tokenizer.arrays import table
from scratchlm.text.tokenizer.arrays.table import ExactTable


def keys(n, seed=0):
    words = np.random.default_rng(seed).integers(0, 40, (n, 2))
    return np.unique(words, axis=0).astype(np.uint64)


@pytest.mark.parametrize("mix", [table._MIX, (0, 0)])
def test_answers_as_a_dictionary_does(mix, monkeypatch):
    """Keys that share a slot answered for each other; with a hash of zero
    all of them do."""
    monkeypatch.setattr(table, "_MIX", mix)
    ours, known = ExactTable(4), {}
    pairs = np.random.default_rng(1).permutation(keys(900))
    for part in np.array_split(pairs, 7):
        numbers = np.arange(len(known), len(known) + len(part))
        ours.add(part[:, 0], part[:, 1], numbers)
        known.update(zip(map(tuple, part.tolist()), numbers, strict=True))
    asked = np.stack(np.meshgrid(range(45), range(45)), -1).reshape(-1, 2)
    low, high = asked.astype(np.uint64).T.copy()
    expected = [known.get(tuple(pair), -1) for pair in asked.tolist()]
    assert ours.find(low, high).tolist() == expected


def test_an_empty_table_knows_nothing():
    """A slot that was never written taken for the key of two zeros."""
    zero = np.zeros(1, np.uint64)
    assert ExactTable().find(zero, zero).tolist() == [-1]
    assert ExactTable(0).find(zero[:0], zero[:0]).tolist() == []


def test_room_grows_with_the_keys():
    """A full table, in which the search for a free slot never ends."""
    grown = ExactTable(1)
    words = np.arange(5_000, dtype=np.uint64)
    grown.add(words, words, words.astype(np.int64))
    assert 2 * grown.n_keys <= len(grown.slots)
    assert (grown.find(words, words) == words).all()
