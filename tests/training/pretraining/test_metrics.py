"""How fast a machine is, and how much of that is used."""

import pytest
import torch

from scratchlm.training.pretraining import (
    fastest_dtype,
    flops_utilization,
    matmul_peak,
)


def test_the_peak_is_of_this_machine():
    """A product that runs in the background is done in no time."""
    peak = matmul_peak(torch.float32, size=256, seconds=0.02)
    assert 1e8 < peak < 1e15


def test_the_fastest_type_is_measured(monkeypatch):
    """Names would be compared, or the slowest chosen."""
    from scratchlm.training.pretraining import metrics

    speeds = {torch.float32: 1.0, torch.bfloat16: 2.0}
    monkeypatch.setattr(metrics, "matmul_peak", lambda d, device: speeds[d])
    assert fastest_dtype() == "bfloat16"
    speeds[torch.float32] = 3.0
    assert fastest_dtype() == "float32"


def test_utilization_is_work_over_peak():
    """Half the operations that a machine could do is one half."""
    assert flops_utilization(100.0, 5e9, 1e12) == 0.5


@pytest.mark.parametrize("given", [{"size": 0}, {"seconds": 0.0}])
def test_nothing_to_measure_is_refused(given):
    """An endless loop, or a division by zero."""
    with pytest.raises(ValueError, match="above 0"):
        matmul_peak(torch.float32, **given)
    with pytest.raises(ValueError, match="peak is 0"):
        flops_utilization(1.0, 1.0, 0.0)
