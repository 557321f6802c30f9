"""Intensity by hand, and a rate that is one."""

import pytest
import torch

from scratchlm.scaling.accounting import product_intensity, product_rate


def test_intensity_of_one_row_and_of_many():
    """Bytes of the result left out, or numbers taken for bytes."""
    # Two operations for each weight of four bytes.
    assert product_intensity(1, 10_000, 4) == pytest.approx(0.5, rel=1e-3)
    # As many rows as columns: 2n^3 operations on 3n^2 numbers.
    assert product_intensity(300, 300, 2) == pytest.approx(100)


def test_a_rate_is_measured():
    """Seconds for a rate, or the time of the first call alone."""
    few, many = (product_rate(n, 256) for n in (1, 256))
    assert few.intensity == product_intensity(1, 256, 4)
    assert 1e6 < few.flops_per_second < 1e14
    assert many.flops_per_second > few.flops_per_second
    half = product_rate(2, 64, torch.bfloat16)
    assert half.intensity == product_intensity(2, 64, 2)
    with pytest.raises(ValueError, match="n_rows is 0"):
        product_rate(0, 8)
