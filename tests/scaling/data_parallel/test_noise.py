"""Signal and noise of gradients, from the ranks' own and their sum."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from scratchlm.scaling.data_parallel.data_parallel import DataParallel
from scratchlm.scaling.data_parallel.noise import (
    SquaredLength,
    noise_between_ranks,
    noise_from_lengths,
)
from scratchlm.training.optimizers.noise import noise_scale


@given(
    st.floats(0.1, 10.0),
    st.floats(0.1, 10.0),
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
)
def test_expected_lengths_give_signal_and_noise_back(signal, noise, n_rows):
    """A formula for ranks of equal size that is used for others; a share of
    the gradient that is taken for the rank's mean."""
    total = sum(n_rows)
    own = [(signal + noise / b) * (b / total) ** 2 for b in n_rows]
    found = noise_from_lengths(own, n_rows, signal + noise / total)
    assert found.signal == pytest.approx(signal, rel=1e-6, abs=1e-6)
    assert found.noise == pytest.approx(noise, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("n_rows", [[3], [2, 0]])
def test_one_rank_or_one_without_rows_tells_nothing(n_rows):
    """A division by zero."""
    with pytest.raises(ValueError, match="tell nothing of chance"):
        noise_from_lengths([1.0] * len(n_rows), n_rows, 1.0)


def line():
    torch.manual_seed(0)
    return nn.Linear(4, 1, dtype=torch.float64)


def rows(rank):
    draws = torch.Generator().manual_seed(rank)
    return torch.randn(6, 4, generator=draws, dtype=torch.float64)


def measured(group):
    model, length = line(), SquaredLength()
    parallel = DataParallel(model, group, most=8, first=8, before=length)
    loss = model(rows(group.rank())).square().sum() / 18
    parallel.backward(loss)
    summed = sum(float(p.grad.square().sum()) for p in model.parameters())
    found = noise_between_ranks(length.take(), summed, 6, group)
    return found, length.take()


def test_ranks_measure_what_batches_in_turn_do(ranks):
    """The length of a gradient after the sum, which is taken for this rank's
    own; or one that adds up over steps."""
    model = line()
    losses = [
        lambda r=rank: model(rows(r)).square().mean() for rank in range(3)
    ]
    expected = noise_scale(model.parameters(), losses, 6)
    for found, left in ranks(3)(measured):
        assert found.signal == pytest.approx(expected.signal, rel=1e-5)
        assert found.noise == pytest.approx(expected.noise, rel=1e-5)
        assert left == 0.0
