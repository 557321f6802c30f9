"""Uniform numbers without a state, and the tokens they stand for."""

from math import inf

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from scratchlm.inference.sampling.draws import inverse_cdf, uniform

NEXT_TO_ONE = 1 - 2**-53


def test_numbers_are_uniform_along_each_of_the_three():
    """A hash of which a seed, a row or a position is left out, or that
    repeats along one of them."""
    n = 4000
    for along in range(3):
        places = np.zeros((n, 3), int)
        places[:, along] = np.arange(n)
        drawn = [uniform(*map(int, place)) for place in places]
        assert kstest(drawn, "uniform").pvalue > 1e-4
        assert len(set(drawn)) == n
        pairs = np.histogram2d(drawn[:-1], drawn[1:], 8, [[0, 1]] * 2)[0]
        assert chisquare(pairs.flatten()).pvalue > 1e-4


def test_numbers_are_those_of_all_machines():
    """Values that another version or byte order would change: a seed
    written down today would then give another text."""
    assert uniform(0, 0, 0) == 0.156742553465558
    assert uniform(7, 3, -1) == 0.19259032774950036
    assert uniform(1, 0, 0) != uniform(0, 1, 0) != uniform(0, 0, 1)


def test_a_token_is_as_wide_as_its_probability():
    """Steps of u that the rounding of a running sum moves."""
    logits = torch.tensor([[0.5, 0.25, 0.0, 0.25]]).double().log()
    u = torch.arange(16, dtype=torch.float64) / 16
    tokens = inverse_cdf(logits.expand(16, -1), u)
    assert tokens.tolist() == [0] * 8 + [1] * 4 + [3] * 4


@given(
    weights=st.lists(
        st.sampled_from([-inf, -700.0, -30.0, 0.0, 1.0]), min_size=1
    ),
    u=st.sampled_from([0.0, 2**-53, 0.5, NEXT_TO_ONE]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_a_hidden_token_is_never_drawn(weights, u, dtype):
    """u = 0 takes the first token whatever it is, and u next to 1 the one
    behind the last."""
    logits = torch.tensor([[*weights, 0.0, -inf]], dtype=dtype)
    token = inverse_cdf(logits, torch.tensor([u], dtype=torch.float64))
    assert logits[0, token] > -inf


def test_rounding_does_not_push_past_the_end():
    """In a large vocabulary the sum ends next to one, not at it."""
    logits = torch.zeros(1, 200_003)
    u = torch.tensor([NEXT_TO_ONE], dtype=torch.float64)
    assert int(inverse_cdf(logits, u)) == 200_002
