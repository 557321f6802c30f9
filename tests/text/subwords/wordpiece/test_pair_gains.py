"""What a merge gains, against the likelihood itself."""

from collections import Counter
from itertools import pairwise
from math import log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scratchlm.text.subwords.wordpiece.pair_gains import (
    CRITERIA,
    PairCounts,
    frequency,
    likelihood,
    ratio,
)


def log_likelihood(words: list[list[str]]) -> float:
    """Of tokens drawn independently, each with its own frequency."""
    counts = Counter(token for word in words for token in word)
    n = counts.total()
    return sum(c * log(c / n) for c in counts.values())


def merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            out.append("".join(pair))
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


def counts_of(words: list[list[str]], pair: tuple[str, str]) -> PairCounts:
    single = Counter(token for word in words for token in word)
    both = sum(p == pair for word in words for p in pairwise(word))
    return PairCounts(
        both=np.array([both]),
        left=np.array([single[pair[0]]]),
        right=np.array([single[pair[1]]]),
        same=np.array([pair[0] == pair[1]]),
        total=single.total(),
    )


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=8)), st.data())
def test_gain_is_the_change_of_the_log_likelihood(words, data):
    """A formula derived with a sign wrong, or one that forgets that the
    corpus has fewer tokens after the merge."""
    pairs = sorted({pair for word in words for pair in pairwise(word)})
    assume(pairs)
    pair = data.draw(st.sampled_from(pairs))
    once = all("".join(pair[:1]) * 3 not in "".join(word) for word in words)
    assume(pair[0] != pair[1] or once)  # overlapping places do not all merge
    after = [merged(word, pair) for word in words]
    change = log_likelihood(after) - log_likelihood(words)
    (gain,) = likelihood(counts_of(words, pair))
    assert gain == pytest.approx(change, abs=1e-9)


def pairs(both, left, right, total=1000):
    return PairCounts(
        both=np.array(both),
        left=np.array(left),
        right=np.array(right),
        same=np.zeros(len(both), np.bool_),
        total=total,
    )


def test_the_ratio_does_not_see_how_often():
    """A criterion that prefers a pair seen twice to one seen a hundred
    times: that is what the ratio does, and the likelihood does not."""
    counts = pairs([2, 100], [2, 100], [2, 110])
    assert ratio(counts).argmax() == 0
    assert likelihood(counts).argmax() == 1
    assert frequency(counts).tolist() == [2.0, 100.0]


@given(*[st.integers(1, 60)] * 4)
def test_gains_only_fall_while_the_two_tokens_stay(both, left, right, rest):
    """The trainer trusts a stored gain to be no lower than the true one."""
    both = min(both, left, right)
    total = left + right + rest
    before = pairs([both], [left], [right], total)
    for fewer, smaller in ((1, 1), (0, 1), (both - 1, both)):
        after = pairs([both - fewer], [left], [right], total - smaller)
        for criterion in CRITERIA.values():
            old, new = criterion(before)[0], criterion(after)[0]
            assert new <= max(old, 0) + 1e-9
