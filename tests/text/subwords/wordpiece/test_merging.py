"""Merging by gain: incremental equals naive, and a gain is a gain."""

from collections import Counter
from itertools import pairwise
from math import log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.wordpiece.merging import (
    CRITERIA,
    PairCounts,
    PairTrainer,
    TokenPair,
    frequency,
    joined,
    likelihood,
    ratio,
)
from scratchlm.text.subwords.wordpiece.training import learn_best_merges
from scratchlm.text.tokenizer.training import count_pieces

DOCS = list(python_docs(25_000))


def spelled(piece: str) -> list[str]:
    return [piece[0], *("##" + character for character in piece[1:])]


def replaced(word: list[str], pair: TokenPair) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            out.append(joined(*pair))
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


def learn_naively(counts, n_merges, criterion, min_count=2):
    """Count everything anew for each merge, as the chapter does."""
    words = [(spelled(piece), count) for piece, count in counts.items()]
    merges: list[TokenPair] = []
    while len(merges) < n_merges:
        single, pairs = Counter(), Counter()
        for word, count in words:
            for token in word:
                single[token] += count
            for pair in pairwise(word):
                pairs[pair] += count
        allowed = [
            pair
            for pair, count in pairs.items()
            if count >= min_count
            and (pair[0][:2] == "##" or joined(*pair)[:2] != "##")
        ]
        if not allowed:
            break
        gains = criterion(
            PairCounts(
                both=np.array([pairs[p] for p in allowed]),
                left=np.array([single[a] for a, _ in allowed]),
                right=np.array([single[b] for _, b in allowed]),
                same=np.array([a == b for a, b in allowed]),
                total=single.total(),
            )
        ).tolist()
        gain, best = max(zip(gains, allowed, strict=True))
        if gain <= 0:
            break
        merges.append(best)
        words = [(replaced(word, best), count) for word, count in words]
    return merges


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.text("abc#é", min_size=1, max_size=12),
        st.integers(1, 9),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(sorted(CRITERIA)),
    st.integers(1, 3),
)
def test_incremental_equals_naive(counts, name, min_count):
    """A gain that rose when a token lost occurrences to another merge, and
    was not computed anew."""
    criterion = CRITERIA[name]
    fast = learn_best_merges(
        counts, 40, criterion=criterion, min_count=min_count
    )
    assert fast == learn_naively(counts, 40, criterion, min_count)


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_incremental_equals_naive_on_real_text(name):
    """Counts that drift only after dozens of merges."""
    counts = count_pieces(DOCS, "gpt2", workers=1)
    fast = learn_best_merges(counts, 60, criterion=CRITERIA[name], min_count=3)
    assert fast == learn_naively(counts, 60, CRITERIA[name], 3)


def test_counts_stay_those_of_the_words():
    """Occurrences of a token that a merge with itself took twice."""
    counts = count_pieces(DOCS, "gpt2", workers=1)
    trainer = PairTrainer(counts, CRITERIA["likelihood"], 2)
    for _ in range(300):
        assert trainer.merge_best()
    held = Counter()
    for word, count in zip(trainer.words, trainer.counts, strict=True):
        for symbol in word:
            held[ord(symbol)] += count
    assert trainer.total == held.total()
    for symbol, occurs in enumerate(trainer.occurs.tolist()):
        assert occurs == held[symbol]


def test_no_merge_makes_a_beginning_that_looks_like_a_continuation():
    """A first token "##", which every reader of the file takes for the mark
    of a continuing one."""
    merges = learn_best_merges({"####": 50, "#a": 9, "x##": 9}, 20)
    made = [joined(*pair) for pair in merges]
    first = [
        token
        for token, (left, _) in zip(made, merges, strict=True)
        if not left.startswith("##")
    ]
    assert first
    assert not [token for token in first if token.startswith("##")]


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
