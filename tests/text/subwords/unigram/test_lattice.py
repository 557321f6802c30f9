"""One lattice: best, summed and drawn, against enumeration."""

from collections import Counter
from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.subwords.unigram.lattice import (
    Scores,
    forward,
    sample,
    viterbi,
)

models = st.dictionaries(
    st.text("abc", min_size=1, max_size=4),
    st.floats(-9, -0.1),
    min_size=1,
    max_size=12,
).map(Scores)


def segmentations(text, scores):
    """Every path, with its score; a character that is no token is one."""
    if not text:
        return [([], 0.0)]
    found = []
    for end in range(1, len(text) + 1):
        head = text[:end]
        score = scores.of.get(head, scores.unknown if end == 1 else None)
        if score is not None:
            found += [
                ([head, *rest], score + other)
                for rest, other in segmentations(text[end:], scores)
            ]
    return found


def total(tokens, scores):
    return sum(scores.of.get(token, scores.unknown) for token in tokens)


@given(st.text("abcd", max_size=9), models)
def test_viterbi_finds_the_best_of_all(text, scores):
    """A path that is best at every step and not in the end."""
    best = viterbi(text, scores)
    every = segmentations(text, scores)
    assert "".join(best) == text
    assert total(best, scores) == pytest.approx(
        max(score for _, score in every)
    )


@given(st.text("abcd", max_size=9), models, st.sampled_from([0.0, 0.3, 1.0]))
def test_forward_sums_over_all(text, scores, power):
    """A segmentation counted twice, or none where a character is unknown."""
    every = segmentations(text, scores)
    summed = log(sum(exp(power * score) for _, score in every))
    assert forward(text, scores, power)[-1] == pytest.approx(summed)


@pytest.mark.untraced
@pytest.mark.parametrize("power", [0.0, 0.4, 1.0])
def test_samples_have_the_frequencies_of_enumeration(power):
    """Sampling forwards, which draws each edge by its own probability and
    not by that of all that can follow it."""
    scores = Scores(
        {"a": -2.0, "b": -1.5, "ab": -2.2, "ba": -1.9, "aba": -4.0}
    )
    text = "abababx"
    every = segmentations(text, scores)
    weights = np.array([exp(power * score) for _, score in every])
    expected = weights / weights.sum()
    rng = np.random.default_rng(0)
    n = 6000
    drawn = Counter(tuple(sample(text, scores, power, rng)) for _ in range(n))
    for (tokens, _), p in zip(every, expected, strict=True):
        spread = (p * (1 - p) / n) ** 0.5
        assert abs(drawn[tuple(tokens)] / n - p) < 5 * spread + 1e-9


def test_a_large_power_draws_the_best():
    """A power that divides where it should multiply."""
    scores = Scores({"a": -2.0, "b": -1.5, "ab": -2.2})
    rng = np.random.default_rng(0)
    drawn = {tuple(sample("abab", scores, 50.0, rng)) for _ in range(50)}
    assert drawn == {("ab", "ab")}


def test_a_long_piece_does_not_underflow():
    """Probabilities multiplied as they are: after some hundred characters
    their product is 0, its logarithm minus infinity, and every segmentation
    as good as any other."""
    scores = Scores({"a": log(0.01), "aa": log(0.001)})
    text = "a" * 3000
    probability = 1.0, 0.01
    for _ in range(2, len(text) + 1):
        both = 0.01 * probability[1] + 0.001 * probability[0]
        probability = probability[1], both
    assert probability[1] == 0.0
    summed = forward(text, scores)[-1]
    # The recurrence's root gives the slope.
    root = (0.01 + (0.01**2 + 4 * 0.001) ** 0.5) / 2
    assert summed == pytest.approx(3000 * log(root), rel=1e-3)
    assert len(viterbi(text, scores)) == 1500
    drawn = sample(text, scores, 1.0, np.random.default_rng(0))
    assert "".join(drawn) == text
    assert set(map(len, drawn)) == {1, 2}


def test_of_equal_paths_the_one_with_the_longest_end_wins():
    """Ties that depend on the order of a dictionary."""
    scores = Scores({"a": -1.0, "aa": -2.0})
    assert viterbi("aaa", scores) == ["a", "aa"]
    scores = Scores({"aa": -2.0, "a": -1.0})
    assert viterbi("aaa", scores) == ["a", "aa"]


def test_single_precision_breaks_ties_by_rounding():
    """Sums that are equal but for the order of their terms: in double
    precision scores of 24 bits add exactly, and in single they do not."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(50):
        x, y = (float(np.float32(v)) for v in rng.uniform(-9, -1, 2))
        y = max(y, float(np.float32(1.5 * x)))
        scores = {"a": x, "aa": y, "b": -5.0}
        exact = viterbi("aaabaaa", Scores(scores))
        assert exact == ["a", "aa", "b", "a", "aa"]
        seen.add(tuple(viterbi("aaabaaa", Scores(scores, single=True))))
    assert len(seen) > 1
    assert viterbi("", Scores({"a": -1.0}, single=True)) == []


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "at least one token"),
        ({"": -1.0}, "none empty"),
        ({"a": -inf}, "score of 'a' is -inf"),
        ({"a": float("nan")}, "score of 'a' is nan"),
    ],
)
def test_models_that_score_nothing(scores, message):
    """A NaN that makes every comparison false, and every text one token."""
    with pytest.raises(ValueError, match=message):
        Scores(scores)
