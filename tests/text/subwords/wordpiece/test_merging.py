"""Merging by gain: incremental equals naive."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.corpora.texts import python_docs
from scratchlm.text.subwords.wordpiece.merging import Pair, PairTrainer, joined
from scratchlm.text.subwords.wordpiece.pair_gains import CRITERIA, PairCounts
from scratchlm.text.subwords.wordpiece.training import learn_merges
from scratchlm.text.tokenizer.training import count_pieces

DOCS = list(python_docs(25_000))


def spelled(piece: str) -> list[str]:
    return [piece[0], *("##" + character for character in piece[1:])]


def replaced(word: list[str], pair: Pair) -> list[str]:
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
    merges: list[Pair] = []
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
    fast = learn_merges(counts, 40, criterion=criterion, min_count=min_count)
    assert fast == learn_naively(counts, 40, criterion, min_count)


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_incremental_equals_naive_on_real_text(name):
    """Counts that drift only after dozens of merges."""
    counts = count_pieces(DOCS, "gpt2", workers=1)
    fast = learn_merges(counts, 60, criterion=CRITERIA[name], min_count=3)
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
    merges = learn_merges({"####": 50, "#a": 9, "x##": 9}, 20)
    made = [joined(*pair) for pair in merges]
    first = [
        token
        for token, (left, _) in zip(made, merges, strict=True)
        if not left.startswith("##")
    ]
    assert first
    assert not [token for token in first if token.startswith("##")]
