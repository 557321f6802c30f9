"""The formula, its best split, and its inverses."""

import numpy as np
import pytest

from scratchlm.training.scaling_laws import (
    CHINCHILLA,
    Allocation,
    ScalingLaw,
)

BUDGETS = [1e12, 1e18, 5.76e23, 1e26]


def test_the_loss_is_a_floor_and_two_powers():
    """An exponent with the wrong sign, or A where B belongs: at the size
    where both powers are easy, the sum is known."""
    law = ScalingLaw(E=0.5, A=8.0, alpha=0.5, B=27.0, beta=1 / 3)
    assert law.loss(64.0, 27.0) == pytest.approx(0.5 + 1.0 + 9.0)
    many = law.loss(np.array([64.0, 256.0]), np.array([27.0, 27.0]))
    assert many == pytest.approx([10.5, 10.0])


@pytest.mark.parametrize("flops", BUDGETS)
def test_no_other_split_is_better(flops):
    """alpha and beta swapped in the exponent of the budget: the split is a
    split, and not the best one."""
    law = ScalingLaw(E=1.8, A=480.0, alpha=0.35, B=2000.0, beta=0.45)
    best = law.optimal(flops)
    assert best.flops == pytest.approx(flops)
    sizes = best.n_parameters * np.geomspace(0.1, 10, 4001)
    losses = law.loss(sizes, flops / 6 / sizes)
    assert sizes[losses.argmin()] == pytest.approx(best.n_parameters, rel=2e-3)
    assert best.loss <= losses.min() + 1e-12


def test_the_exponents_are_those_of_the_best_split():
    """A property that disagrees with the method beside it."""
    law = CHINCHILLA
    small, large = law.optimal(1e20), law.optimal(1e22)
    assert large.n_parameters / small.n_parameters == pytest.approx(
        100**law.parameters_exponent
    )
    assert large.n_tokens / small.n_tokens == pytest.approx(
        100**law.tokens_exponent
    )
    assert law.parameters_exponent + law.tokens_exponent == pytest.approx(1)


def test_chinchilla_as_published():
    """The exponents that the paper prints for its third approach, 0.46 and
    0.54, up to the rounding of its alpha and beta."""
    assert CHINCHILLA.parameters_exponent == pytest.approx(0.46, abs=0.01)
    assert CHINCHILLA.tokens_exponent == pytest.approx(0.54, abs=0.01)
    # Chinchilla itself: 70 billion weights and 1.4 trillion tokens.
    assert CHINCHILLA.loss(70e9, 1.4e12) == pytest.approx(1.937, abs=1e-3)


def test_the_inverses_go_back():
    """tokens_for that forgets the floor, or flops_for the wrong power."""
    law = CHINCHILLA
    loss = law.loss(3e9, 2e11)
    assert law.tokens_for(loss, 3e9) == pytest.approx(2e11)
    smallest = law.smallest_for(loss)
    assert law.loss(smallest, 1e60) == pytest.approx(loss)
    for flops in BUDGETS:
        best = law.optimal(flops)
        assert law.flops_for(best.loss) == pytest.approx(flops)


def test_what_no_run_reaches_is_refused():
    """A negative number raised to a power: a complex count of tokens."""
    with pytest.raises(ValueError, match="never reaches"):
        CHINCHILLA.tokens_for(1.8, 1e6)
    with pytest.raises(ValueError, match="not above the floor"):
        CHINCHILLA.flops_for(1.69)
    with pytest.raises(ValueError, match="n_parameters is 0"):
        CHINCHILLA.tokens_for(3.0, 0.0)


@pytest.mark.parametrize("flops", [0.0, -1.0, float("inf"), float("nan")])
def test_a_budget_that_is_none_is_refused(flops):
    """0 parameters for 0 FLOPs."""
    with pytest.raises(ValueError, match="flops is"):
        CHINCHILLA.optimal(flops)


def test_a_law_that_is_none_is_refused():
    """A negative exponent: more parameters, more loss."""
    good = {"E": 1.0, "A": 1.0, "alpha": 0.3, "B": 1.0, "beta": 0.3}
    for name, value in [("E", -1.0), ("A", -1.0), ("alpha", 0.0)]:
        with pytest.raises(ValueError, match=f"{name} is"):
            ScalingLaw(**good | {name: value})
    flat = ScalingLaw(**good | {"B": 0.0})
    with pytest.raises(ValueError, match="no split is best"):
        flat.optimal(1e9)


def test_the_ratio_is_tokens_over_parameters():
    """Upside down, twenty becomes a twentieth."""
    assert Allocation(70e9, 1.4e12, 1.9).tokens_per_parameter == 20
