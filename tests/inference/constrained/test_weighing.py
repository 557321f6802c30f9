from itertools import product
from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.inference.constrained.grammar import pattern
from scratchlm.inference.constrained.processor import Constrained
from scratchlm.inference.constrained.vocabulary import Vocabulary
from scratchlm.inference.constrained.weighing import (
    effective_number,
    resample,
    weigh,
)

TOKENS = {0: b"a", 1: b"b", 2: b"ab", 3: b"c"}
END = 4


def logits_of(ids, seed):
    """A model without parameters: logits that depend on what was read."""
    rows = []
    for place in range(len(ids)):
        draws = torch.Generator().manual_seed(hash((seed, *ids[:place])))
        rows.append(2 * torch.randn(5, generator=draws))
    return torch.stack(rows)


def every_text(constrained, most=4):
    found = []
    for n in range(1, most + 1):
        for ids in product(range(5), repeat=n):
            if ids[-1] != END or END in ids[:-1]:
                continue
            try:
                constrained.state(ids)
            except ValueError:
                continue
            found.append(ids)
    return found


@given(
    seed=st.integers(0, 1000),
    source=st.sampled_from(["(a|b)c?", "ab|c", "a?b?c?", "abc|b{1,2}"]),
)
@settings(max_examples=12)
def test_probabilities_add_up_to_one(seed, source):
    """The end left out of the mass, a mass taken one place too late, the
    tokens that spell one text counted once."""
    constrained = Constrained(pattern(source), Vocabulary(TOKENS, 5), END)
    texts = every_text(constrained)
    found = [weigh(logits_of(ids, seed), ids, constrained) for ids in texts]
    assert sum(exp(w.log_prob) for w in found) == pytest.approx(1)
    for ids, each in zip(texts, found, strict=True):
        plain = logits_of(ids, seed).double().log_softmax(-1)
        free = sum(float(row[i]) for row, i in zip(plain, ids, strict=True))
        assert each.model_log_prob == pytest.approx(free)
        assert each.log_weight == pytest.approx(free - each.log_prob)
        assert each.log_weight <= 1e-9


@given(seed=st.integers(0, 1000))
@settings(max_examples=8)
def test_the_mean_weight_is_the_mass_of_the_grammar(seed):
    """Weights that correct to another distribution than the model's."""
    constrained = Constrained(pattern("a?b?c?"), Vocabulary(TOKENS, 5), END)
    found = [
        weigh(logits_of(ids, seed), ids, constrained)
        for ids in every_text(constrained)
    ]
    mean = sum(exp(w.log_prob + w.log_weight) for w in found)
    assert mean == pytest.approx(sum(exp(w.model_log_prob) for w in found))


def test_effective_draws():
    """A number above that of the draws, or an overflow of small weights."""
    assert effective_number([-3.0] * 7) == pytest.approx(7)
    assert effective_number([0.0, -900.0, -900.0]) == pytest.approx(1)
    assert effective_number([-2000.0, -2000.0]) == pytest.approx(2)
    assert effective_number([log(3), 0.0]) == pytest.approx(16 / 10)


def test_draws_are_chosen_by_weight():
    """Weights taken as probabilities without their sum; a draw of weight
    zero that is chosen at the edge."""
    chosen = resample([log(2), float("-inf"), log(6)], 4000, seed=1)
    assert chosen.count(1) == 0
    assert chosen.count(2) / 4000 == pytest.approx(0.75, abs=0.03)
    assert chosen == resample([log(2), float("-inf"), log(6)], 4000, seed=1)
    assert chosen != resample([log(2), float("-inf"), log(6)], 4000, seed=2)


def test_what_does_not_fit_is_refused():
    """Logits of the prompt, one place off, weigh another text."""
    constrained = Constrained(pattern("ab"), Vocabulary(TOKENS, 5), END)
    with pytest.raises(ValueError, match="2 tokens and logits for 3"):
        weigh(torch.zeros(3, 5), [2, END], constrained)
    with pytest.raises(ValueError, match="not allowed there"):
        weigh(torch.zeros(1, 5), [1], constrained)
