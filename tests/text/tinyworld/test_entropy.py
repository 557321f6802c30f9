"""Entropy rates from lists, and from draws."""

import math
import random

import pytest

from scratchlm.text.tinyworld.entropy import estimated_rate, exact_rate

TEXTS = [(0.5, 10), (0.25, 20), (0.25, 40)]  # probability, bytes


def test_the_exact_rate_is_a_ratio_of_means():
    """A mean of the ratios, which weighs short documents too much."""
    rate = exact_rate((math.log(p), n) for p, n in TEXTS)
    assert rate.bits_per_byte == pytest.approx(1.5 / 20)
    assert rate.nats_per_document == pytest.approx(1.5 * math.log(2))
    assert rate.bytes_per_document == pytest.approx(20)


def test_the_error_covers_the_truth():
    """An error that forgets that long documents have more entropy."""
    rng = random.Random(0)
    exact = exact_rate((math.log(p), n) for p, n in TEXTS)
    misses = 0
    for _ in range(200):
        draws = rng.choices(TEXTS, [p for p, _ in TEXTS], k=100)
        rate = estimated_rate([(-math.log(p), n) for p, n in draws])
        gap = abs(rate.nats_per_byte - exact.nats_per_byte)
        misses += gap > 2 * rate.standard_error
    assert 2 <= misses <= 25  # about one in twenty


def test_one_document_has_no_error():
    """A division by zero, or an error of zero."""
    with pytest.raises(ValueError, match="1 documents"):
        estimated_rate([(1.0, 10)])
