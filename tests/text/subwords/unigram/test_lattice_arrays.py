"""Many lattices at once, against one after another."""

from collections import Counter
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.subwords.unigram.lattice import Scores, forward, viterbi
from scratchlm.text.subwords.unigram.lattice_arrays import (
    corpus_lattices,
    token_lattices,
)
from scratchlm.text.subwords.unigram.substrings import frequent_substrings

corpora = st.dictionaries(
    st.text("abcé", min_size=1, max_size=10),
    st.integers(1, 5),
    min_size=1,
    max_size=8,
)


def made(pieces, seed):
    """Lattices of a corpus, and random scores of its substrings."""
    found = frequent_substrings(pieces, 5, 10**6)
    weight = np.array([*pieces.values()])
    rng = np.random.default_rng(seed)
    scores = -rng.uniform(0.5, 6, len(found.texts))
    model = Scores(dict(zip(found.texts, scores.tolist(), strict=True)))
    return found, corpus_lattices(found, weight), scores, model


def expected_naively(text, model):
    """Sums over paths, forwards and backwards, for each edge."""
    ahead = forward(text, model)
    mirror = Scores({token[::-1]: s for token, s in model.of.items()})
    behind = forward(text[::-1], mirror)[::-1]
    counts: Counter[str] = Counter()
    for end in range(1, len(text) + 1):
        for start, score in model.edges(text, end):
            through = ahead[start] + score + behind[end] - ahead[-1]
            counts[text[start:end]] += exp(through)
    return counts, ahead[-1]


@given(corpora, st.integers(0, 99))
def test_expected_counts_are_those_of_forward_and_backward(pieces, seed):
    """Probability that leaks from one piece into the next, or flows back
    over an edge twice."""
    found, lattices, scores, model = made(pieces, seed)
    counts, log_likelihood = lattices.expected_counts(scores)
    expected: Counter[str] = Counter()
    likelihood = 0.0
    for piece, weight in pieces.items():
        one, summed = expected_naively(piece, model)
        likelihood += weight * summed
        for token, count in one.items():
            expected[token] += weight * count
    assert log_likelihood == pytest.approx(likelihood)
    for token, count in zip(found.texts, counts.tolist(), strict=True):
        assert count == pytest.approx(expected[token], abs=1e-9)
    n_characters = sum(len(p) * c for p, c in pieces.items())
    lengths = np.array([len(token) for token in found.texts])
    assert counts @ lengths == pytest.approx(n_characters)


def test_the_lattice_of_the_page():
    """Shares that flow back in another ratio than they came: the page works
    this lattice on paper, in elevenths."""
    found = frequent_substrings({"sea": 1, "se": 1, "ea": 1}, 2, 10)
    assert sorted(found.texts) == ["a", "e", "ea", "s", "se"]
    lattices = corpus_lattices(found, np.array([1, 0, 0]))
    fifths = np.full(5, -log(5))
    counts, log_likelihood = lattices.expected_counts(fifths)
    elevenths = dict(zip(found.texts, (counts * 11).tolist(), strict=True))
    assert elevenths == pytest.approx(
        {"s": 6, "e": 1, "a": 6, "se": 5, "ea": 5}
    )
    assert exp(log_likelihood) == pytest.approx(11 / 125)


@given(corpora, st.integers(0, 99))
def test_best_counts_are_those_of_viterbi(pieces, seed):
    """A back pointer into another piece, or a tie that is broken in another
    way than in the encoder."""
    found, lattices, scores, model = made(pieces, seed)
    scores = np.round(scores)  # so that there are ties
    model = Scores(dict(zip(found.texts, scores.tolist(), strict=True)))
    expected: Counter[str] = Counter()
    for piece, weight in pieces.items():
        for token in viterbi(piece, model):
            expected[token] += weight
    counts = lattices.best_counts(scores)
    got = dict(zip(found.texts, counts.tolist(), strict=True))
    assert got == {token: expected[token] for token in found.texts}


@given(corpora, st.integers(0, 99), st.randoms())
def test_dropping_tokens_equals_never_having_had_them(pieces, seed, random):
    """Edges of a dropped token that live on under another's number."""
    found, lattices, scores, _ = made(pieces, seed)
    lengths = np.array([len(text) for text in found.texts])
    kept = (lengths == 1) | (
        np.array([random.random() for _ in lengths]) < 0.5
    )
    lattices.keep(kept)
    left = [t for t, k in zip(found.texts, kept, strict=True) if k]
    model = Scores(dict(zip(left, scores[kept].tolist(), strict=True)))
    _, log_likelihood = lattices.expected_counts(scores[kept])
    summed = sum(c * forward(p, model)[-1] for p, c in pieces.items())
    assert log_likelihood == pytest.approx(summed)


@given(corpora, st.integers(0, 99), st.randoms())
def test_next_best_spelling_of_each_token(pieces, seed, random):
    """A token that counts as its own replacement, or the spelling of one
    taken for that of another after some were dropped."""
    found, _, scores, _ = made(pieces, seed)
    alone = token_lattices(found)
    lengths = np.array([len(text) for text in found.texts])
    kept = (lengths == 1) | (
        np.array([random.random() for _ in lengths]) < 0.7
    )
    alone.keep_pieces(kept)
    alone.keep(kept)
    left = [t for t, k in zip(found.texts, kept, strict=True) if k]
    scores = scores[kept]
    spelled: list[list[str]] = [[] for _ in left]
    for numbers, tokens in alone.best_paths(scores):
        for number, token in zip(
            numbers.tolist(), tokens.tolist(), strict=True
        ):
            spelled[number].append(left[token])
    for token, parts in zip(left, spelled, strict=True):
        of = dict(zip(left, scores.tolist(), strict=True))
        if len(token) > 1:
            del of[token]
        assert parts[::-1] == viterbi(token, Scores(of))


def test_a_long_piece_does_not_underflow():
    """The same trap as in one lattice, in the arrays."""
    pieces = {"ab" * 1500: 2, "a": 1}
    _, lattices, scores, model = made(pieces, 0)
    counts, log_likelihood = lattices.expected_counts(scores)
    summed = sum(c * forward(p, model)[-1] for p, c in pieces.items())
    assert log_likelihood == pytest.approx(summed)
    assert np.isfinite(counts).all()
