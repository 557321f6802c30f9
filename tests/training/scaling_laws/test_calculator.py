"""What the calculators advise, against a search by force."""

import numpy as np
import pytest

from scratchlm.training.scaling_laws import (
    CHINCHILLA,
    budget,
    lifetime_optimum,
    same_loss,
)


def test_a_budget_in_device_hours():
    """Minutes for hours, or a utilization in percent."""
    # 1000 hours at 40 % of 1e15 FLOP/s.
    assert budget(1000.0, 1e15, 0.4) == pytest.approx(1.44e21)


def test_the_best_split_costs_nothing_extra():
    """An alternative that is compared with something else than the best."""
    same = same_loss(CHINCHILLA, 1e22, 1.0)
    assert same.extra == pytest.approx(0, abs=1e-9)
    assert same.served == 1.0


@pytest.mark.parametrize("shrink", [0.5, 0.8, 1.5, 3.0])
def test_another_size_costs_more_and_is_as_good(shrink):
    """Tokens scaled with the size instead of solved for."""
    best = CHINCHILLA.optimal(1e22)
    other = same_loss(CHINCHILLA, 1e22, shrink)
    assert other.run.n_parameters == pytest.approx(best.n_parameters * shrink)
    reached = CHINCHILLA.loss(other.run.n_parameters, other.run.n_tokens)
    assert reached == pytest.approx(best.loss)
    assert other.extra > 0
    assert other.run.flops == pytest.approx(1e22 * (1 + other.extra))


def test_without_users_the_lifetime_is_the_training():
    """Serving charged for the tokens of training."""
    best = CHINCHILLA.optimal(1e22)
    life = lifetime_optimum(CHINCHILLA, best.loss, 0.0)
    assert life.run.n_parameters == pytest.approx(best.n_parameters, rel=1e-4)
    assert life.flops == pytest.approx(1e22)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 30.0, 1e6])
def test_no_other_size_is_cheaper_over_a_lifetime(ratio):
    """Six operations for a served token, or a search that ends at its
    bound."""
    best = CHINCHILLA.optimal(1e22)
    served = best.n_tokens * ratio
    life = lifetime_optimum(CHINCHILLA, best.loss, served)
    smallest = CHINCHILLA.smallest_for(best.loss)
    sizes = np.geomspace(smallest * (1 + 1e-7), best.n_parameters, 20_000)
    reach = best.loss - CHINCHILLA.E - CHINCHILLA.A * sizes**-CHINCHILLA.alpha
    tokens = (CHINCHILLA.B / reach) ** (1 / CHINCHILLA.beta)
    total = sizes * (6 * tokens + 2 * served)
    assert life.flops <= total.min() * (1 + 1e-9)
    assert life.run.n_parameters == pytest.approx(
        sizes[total.argmin()], rel=1e-3
    )


def test_more_users_make_a_smaller_model():
    """The sign of the term for serving."""
    loss = CHINCHILLA.optimal(1e22).loss
    sizes = [
        lifetime_optimum(CHINCHILLA, loss, served).run.n_parameters
        for served in (0.0, 1e11, 1e12, 1e13)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 1.5


def test_what_cannot_be_planned_is_refused():
    """A budget of minus one hour, a model too small for its loss."""
    with pytest.raises(ValueError, match="device_hours is 0"):
        budget(0.0, 1e15, 0.4)
    with pytest.raises(ValueError, match="utilization is 40"):
        budget(1.0, 1e15, 40.0)
    with pytest.raises(ValueError, match="never reaches"):
        same_loss(CHINCHILLA, 1e22, 0.05)
    with pytest.raises(ValueError, match="shrink is 0"):
        same_loss(CHINCHILLA, 1e22, 0.0)
    with pytest.raises(ValueError, match="served_tokens is -1"):
        lifetime_optimum(CHINCHILLA, 2.0, -1.0)
    with pytest.raises(ValueError, match="not above the floor"):
        lifetime_optimum(CHINCHILLA, 1.5, 1e12)
