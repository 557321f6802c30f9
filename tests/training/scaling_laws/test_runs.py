"""Columns that belong together."""

import numpy as np
import pytest

from scratchlm.training.scaling_laws import CHINCHILLA, Runs, without_noise

SIZES, TOKENS = np.array([1e6, 2e6, 4e6]), np.array([1e8, 5e7, 2.5e7])


def test_flops_are_six_for_a_parameter_and_a_token():
    """Two, as in a forward pass."""
    runs = without_noise(CHINCHILLA, SIZES, TOKENS)
    assert runs.flops == pytest.approx([6e14] * 3)
    assert len(runs) == 3


def test_some_of_the_runs_keep_their_columns_together():
    """A selection that reorders one column."""
    runs = without_noise(CHINCHILLA, SIZES, TOKENS)
    few = runs.take(np.array([2, 0]))
    assert few.n_parameters.tolist() == [4e6, 1e6]
    assert few.n_tokens.tolist() == [2.5e7, 1e8]
    assert few.loss == pytest.approx(CHINCHILLA.loss(SIZES, TOKENS)[[2, 0]])
    assert len(runs.take(runs.n_parameters > 1e6)) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_a_run_that_diverged_is_refused(bad):
    """One loss that is no number makes every fitted number none."""
    loss = np.array([2.0, bad, 2.0])
    with pytest.raises(ValueError, match="loss holds"):
        Runs(n_parameters=SIZES, n_tokens=TOKENS, loss=loss)


def test_columns_of_different_lengths_are_refused():
    """numpy broadcasts one loss over all runs."""
    with pytest.raises(ValueError, match="one number for each run"):
        Runs(n_parameters=SIZES, n_tokens=TOKENS, loss=np.array([2.0]))
    nothing = np.zeros(0)
    with pytest.raises(ValueError, match="one number for each run"):
        Runs(n_parameters=nothing, n_tokens=nothing, loss=nothing)
