"""Perplexity, bits per byte and code lengths on numbers known by hand."""

import math

import pytest
import torch

from scratchlm.training.objective import (
    Loss,
    bits_per_byte,
    code_bits,
    perplexity,
)


def test_a_fair_die_of_eight():
    """A base mixed up: perplexity of bits, or bits of base e."""
    nats = 5 * math.log(8)
    loss = Loss(torch.tensor(nats), torch.tensor(5))
    assert perplexity(loss) == pytest.approx(8, rel=1e-6)
    assert bits_per_byte(nats, 10) == pytest.approx(1.5)
    assert code_bits(nats - 1e-9) == 15


def test_an_arithmetic_code_exists_within_two_bits():
    """A code shorter than the model's probability allows, or a length that
    rounds down. The coder is exact, in whole numbers, on every text of
    three tokens, and what it writes is decoded."""
    from fractions import Fraction
    from itertools import product

    p = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    written = set()
    for text in product(range(3), repeat=3):
        low, width = Fraction(0), Fraction(1)
        for token in text:
            low += width * sum(p[:token], Fraction(0))
            width *= p[token]
        n = code_bits(-math.log(width) - 1e-12) + 1
        code = math.ceil(low * 2**n)
        assert low <= Fraction(code, 2**n)
        assert Fraction(code + 1, 2**n) <= low + width
        written.add((code, n))
    assert len(written) == 27


def test_impossible_sizes_are_refused():
    """Division by an empty text, or a density taken for a probability."""
    with pytest.raises(ValueError, match="n_bytes is 0"):
        bits_per_byte(1.0, 0)
    with pytest.raises(ValueError, match="nats is -1"):
        code_bits(-1.0)
    with pytest.raises(ValueError, match="at least one"):
        perplexity(Loss(torch.tensor(0.0), torch.tensor(0)))
