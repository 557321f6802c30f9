"""Documents that are held out, whole and for good."""

import numpy as np
import pytest

from scratchlm.text.deduplication.pipeline import deduplicate
from scratchlm.text.shards.holding_out import held_out

TEXTS = [f"text number {number}" for number in range(20_000)]


def test_copies_stay_together():
    """A text that is trained on under another spelling."""
    texts = [*TEXTS[:500], *(text.upper() + "\n" for text in TEXTS[:500])]
    chosen = held_out(texts, 0.3)
    assert np.array_equal(chosen[:500], chosen[500:])
    near = ["one two three four five six seven eight nine ten " * 9 + end
            for end in ["", "eleven", "twelve"]]  # fmt: skip
    texts = [*TEXTS[:500], *near]
    cluster = deduplicate(texts).cluster
    assert len(set(cluster[-3:].tolist())) == 1
    for seed in range(30):
        chosen = held_out(texts, 0.5, seed=seed, cluster=cluster)
        assert len(set(chosen[-3:].tolist())) == 1


def test_the_choice_is_of_the_text_alone():
    """Numbers of documents as a key: one document more, and half of those
    held out have been trained on."""
    chosen = held_out(TEXTS, 0.1)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    again = held_out((TEXTS[i] for i in order[:9_000]), 0.1)
    assert np.array_equal(again, chosen[order[:9_000]])


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.999])
def test_the_fraction_and_the_seed_decide_how_many_and_which(fraction):
    """A hash whose low numbers are rare, or a seed that moves few."""
    one, other = (held_out(TEXTS, fraction, seed=seed) for seed in (0, 1))
    spread = 5 * np.sqrt(fraction * (1 - fraction) / len(TEXTS))
    for chosen in (one, other):
        assert abs(chosen.mean() - fraction) < spread
    assert abs((one & other).mean() - fraction**2) < spread


def test_more_are_held_out_beside_those_that_were():
    """A larger validation set that shares nothing with the smaller."""
    few, many = held_out(TEXTS, 0.01), held_out(TEXTS, 0.02)
    assert (many >= few).all()


def test_bad_arguments_are_named():
    """A percentage for a fraction holds out all."""
    for fraction in (0.0, 1.0, 5.0, float("nan")):
        with pytest.raises(ValueError, match="fraction is"):
            held_out(TEXTS[:3], fraction)
    with pytest.raises(ValueError, match="seed is -1"):
        held_out(TEXTS[:3], 0.5, seed=-1)
    with pytest.raises(ValueError, match="of 2 documents, and these are 3"):
        held_out(TEXTS[:3], 0.5, cluster=np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="one string"):
        held_out("text", 0.5)
    assert held_out([], 0.5).shape == (0,)
