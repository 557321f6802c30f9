"""The tokenizer around the lattice."""

from collections import Counter
from functools import cache
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer

DOCS = list(python_docs(60_000))
TOY = {
    "pattern": "gpt2",
    "scores": {"a": -1.0, "b": -2.0, "ab": -2.5, " ": -3.0, " a": -3.5},
    "vocab": {"a": 1, "b": 2, "ab": 3, " ": 4, " a": 5},
    "unknown_id": 0,
}


@cache
def trained():
    return UnigramTokenizer.train(DOCS, 900)


@given(st.one_of(st.text(), st.sampled_from(DOCS)))
def test_round_trip_of_any_text(text):
    """A character without a token, or half a surrogate pair."""
    text = text.encode("utf-8", "replace").decode()
    ids = trained().encode(text)
    assert trained().decode(ids) == text
    assert trained().decode(np.array(ids, np.int64)) == text


@given(st.text("abcde é\n", max_size=30), st.sampled_from([0.0, 0.2, 1.0]))
def test_samples_decode_to_the_text(text, power):
    """A sampled path that leaves a gap."""
    ids = trained().sample(text, power=power, rng=np.random.default_rng(0))
    assert trained().decode(ids) == text


def test_samples_are_reproducible_and_differ():
    """Randomness from a state that the caller does not hold."""
    text = DOCS[0][:400]
    draws = [
        trained().sample(text, power=0.2, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
    text = "The simple form is equivalent"
    sharp = trained().sample(text, power=5000, rng=np.random.default_rng(0))
    assert sharp == trained().encode(text)


def test_sampled_frequencies_of_a_word():
    """Draws that follow the best path with noise, and not the model."""
    toy = UnigramTokenizer(**TOY)
    rng = np.random.default_rng(0)
    drawn = Counter(
        tuple(toy.sample("ab", power=1.0, rng=rng)) for _ in range(4000)
    )
    share = exp(-2.5) / (exp(-2.5) + exp(-3.0))
    assert drawn[(3,)] / 4000 == pytest.approx(share, abs=0.04)
    assert toy.log_likelihood("ab") == pytest.approx(
        log(exp(-2.5) + exp(-3.0))
    )
    assert toy.score("ab") == -2.5
    assert toy.score("xab") == pytest.approx(-3.5 - 10 - 2.5)


def test_loss_per_token_orders_vocabularies_backwards():
    """Two models compared by their loss per token, where the one with the
    larger tokens looks worse and is better. Bytes are what they share."""
    text = "\n".join(DOCS[::4])
    small = UnigramTokenizer.train(DOCS, 400)
    losses = [-tok.log_likelihood(text) for tok in (small, trained())]
    tokens = [len(tok.encode(text)) for tok in (small, trained())]
    assert losses[0] / tokens[0] < losses[1] / tokens[1]
    assert losses[0] / len(text.encode()) > losses[1] / len(text.encode())


@pytest.mark.parametrize("power", [-0.1, float("nan"), float("inf")])
def test_powers_that_draw_nothing(power):
    """A power of -1, which prefers the worst segmentations."""
    with pytest.raises(ValueError, match="power is"):
        trained().sample("a", power=power, rng=np.random.default_rng(0))


def test_a_run_of_unknown_characters_is_one_token():
    """Each of them alone, where sentencepiece and tokenizers join them."""
    toy = UnigramTokenizer(**TOY)
    assert toy.encode("xyab zzz") == [0, 3, 4, 0]
    assert toy.decode([0, 3, 4, 0]) == "\ufffdab \ufffd"
    assert toy.segment("xyab") == ["x", "y", "ab"]


def test_fingerprint_covers_what_determines_ids():
    """Two tokenizers that differ, taken for one."""
    swapped = {"a": 2, "b": 1, "ab": 3, " ": 4, " a": 5}
    changes = (
        {},
        {"pattern": "cl100k"},
        {"scores": TOY["scores"] | {"a": -1.5}},
        {"vocab": swapped},
        {"unknown_id": 7},
        {"byte_ids": tuple(range(10, 266))},
        {"special_tokens": {"<|x|>": 9}},
        {"single_precision": True},
    )
    prints = {UnigramTokenizer(**TOY | c).fingerprint for c in changes}
    assert len(prints) == len(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": {}, "vocab": {}}, "at least one token"),
        ({"vocab": {"a": 1}}, "' ' has a score, but no id"),
        ({"byte_ids": (7, 8)}, "2 byte_ids"),
        ({"unknown_id": None}, "unknown_id or 256 byte_ids"),
        ({"unknown_id": 3}, "same id"),
        ({"special_tokens": {"<|x|>": 1}}, "same id.*from 6 on"),
        ({"scores": TOY["scores"] | {"a": float("nan")}}, "nan"),
    ],
)
def test_contradictions_are_named(change, message):
    """A tokenizer that fails at the first unlucky text."""
    with pytest.raises(ValueError, match=message):
        UnigramTokenizer(**TOY | change)
