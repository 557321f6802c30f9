"""Leaks that are planted are found, and clean models pass."""

import zlib
from itertools import pairwise

import numpy as np
import pytest

from scratchlm.evaluation.uncertainty import order_test, overlap

WORDS = ["ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple"]
WORDS += ["oak", "pine", "rowan", "yew"]


def questions(n, seed=0):
    """Make questions of twenty words, all drawn."""
    draws = np.random.default_rng(seed)
    return [" ".join(draws.choice(WORDS, 20)) + "?" for _ in range(n)]


def forgetful(texts):
    """Score by the letters alone, whatever their order."""
    return np.array([-float(sum(map(ord, text))) for text in texts])


def reader_of(published):
    """Score an item higher behind the one that it stands behind there."""

    def log_probs(texts):
        found = []
        for text in texts:
            parts = text.split("\n")
            pairs = pairwise(parts)
            noise = zlib.crc32(text.encode()) / 2**32
            kept = sum(a + "\n" + b in published for a, b in pairs)
            found.append(kept + noise)
        return np.array(found)

    return log_probs


def test_copies_are_found_and_the_rest_is_not():
    """An item that is quoted in part, or by another document than the one
    that is named."""
    items = questions(5)
    half = " ".join(items[2].split()[:15])
    corpus = ["Nothing here.", f"One: {items[1].upper()}", half, items[1]]
    found = overlap([*items, "too short"], corpus)
    assert np.flatnonzero(found.seen(1.0)).tolist() == [1]
    assert found.documents.tolist() == [-1, 1, 2, -1, -1, -1]
    assert found.shares.tolist() == pytest.approx([0, 1, 3 / 8, 0, 0, -1])
    assert found.seen(0.3).sum() == 2


def test_a_list_read_in_order_is_found():
    """Shuffled orders that keep the published one among them, or a sign."""
    items = questions(48)
    found = order_test(reader_of("\n".join(items)), items)
    assert len(found.gains) == 6
    assert found.p_value < 0.001
    assert found.t > 5


def test_a_list_read_in_another_order_is_not():
    """The items were read, and their order says nothing about it."""
    items = questions(48)
    other = np.random.default_rng(1).permutation(items).tolist()
    assert order_test(reader_of("\n".join(other)), items).p_value > 0.05


def test_p_values_of_clean_models_are_uniform():
    """A test that cries wolf: by a one-sided law with two sides, or since
    the published order counts among the shuffles too."""
    p_values = [
        order_test(
            reader_of(""), questions(40, seed), shard=5, seed=seed
        ).p_value
        for seed in range(300)
    ]
    low = np.mean(np.array(p_values) < 0.05)
    assert 0.02 < low < 0.09
    assert 0.4 < np.mean(p_values) < 0.6


def test_a_sorted_list_accuses_a_clean_model():
    """The order must mean nothing. A model that only expects like behind
    like has read no list, and prefers a sorted one."""

    def smooth(texts):
        pairs = [pairwise(text.split("\n")) for text in texts]
        return np.array(
            [float(sum(a[:2] == b[:2] for a, b in each)) for each in pairs]
        )

    items = questions(64)
    assert order_test(smooth, items).p_value > 0.05
    assert order_test(smooth, sorted(items)).p_value < 0.001


def test_a_model_blind_to_order_gains_nothing():
    """Zero by zero standard errors is no evidence."""
    found = order_test(forgetful, questions(16))
    assert (found.t, found.p_value) == (0, 0.5)


def test_what_cannot_be_tested_is_refused():
    """A list of one shard, a shuffle of one item, and a probability of zero,
    which is named by its place."""
    items = questions(16)
    with pytest.raises(ValueError, match="two shards"):
        order_test(forgetful, items[:10])
    with pytest.raises(ValueError, match="two items or more"):
        order_test(forgetful, items, shard=1)

    def impossible(texts):
        return np.where(np.arange(len(texts)) == 12, -np.inf, 0.0)

    with pytest.raises(ValueError, match="shard 1 has the log-probability"):
        order_test(impossible, items)
    with pytest.raises(ValueError, match="items is one string"):
        overlap(items[0], [])
    with pytest.raises(ValueError, match="least is 0"):
        overlap(items, []).seen(0.0)
