"""Parabolas: right about powers, wrong about the constant, by how much."""

import numpy as np
import pytest

from scratchlm.training.scaling_laws import (
    CHINCHILLA,
    Runs,
    ScalingLaw,
    budgets_of,
    equal_flops,
    power_law,
    tokens_bias,
    trend,
    vertex,
)

BUDGETS = [1e17, 1e18, 1e19, 1e20, 1e21]
LIKE = {"E": 1.8, "A": 400.0, "B": 900.0}


def parabolic(flops, best, bend=0.1, height=2.0):
    """Runs of one budget whose loss is a parabola in the log of the size."""
    sizes = np.geomspace(best / 5, best * 9, 7)
    loss = height + bend * np.log(sizes / best) ** 2
    return Runs(n_parameters=sizes, n_tokens=flops / 6 / sizes, loss=loss)


def test_the_vertex_of_a_parabola():
    """The vertex in the log of the size, read as one in the size."""
    found = vertex(parabolic(1e15, 3e6))
    assert found.n_parameters == pytest.approx(3e6)
    assert found.flops == pytest.approx(1e15)
    assert found.loss == pytest.approx(2.0)


def test_a_power_law_through_its_own_points():
    """The slope of the logs as the factor."""
    x = np.array([1.0, 10.0, 1000.0])
    law = power_law(x, 3 * x**0.4)
    assert law == pytest.approx((3.0, 0.4))
    assert law(100.0) == pytest.approx(3 * 100**0.4)


def test_the_trend_of_exact_parabolas():
    """Sizes and tokens exchanged: both are powers, and their exponents sum
    to 1 in any case."""
    groups = [parabolic(flops, 2e3 * flops**0.3) for flops in [1e14, 1e16]]
    found = trend(groups)
    assert found.n_parameters.exponent == pytest.approx(0.3)
    assert found.n_tokens.exponent == pytest.approx(0.7)
    assert found.n_parameters(1e15) == pytest.approx(2e3 * 1e15**0.3)


@pytest.mark.parametrize(
    ("alpha", "beta", "sign"), [(0.35, 0.46, 1), (0.34, 0.28, -1)]
)
def test_the_bias_has_the_sign_of_beta_minus_alpha(alpha, beta, sign):
    """The parabola leans to where the loss rises more slowly. Where tokens
    have the larger exponent it gives too many of them."""
    law = ScalingLaw(**LIKE, alpha=alpha, beta=beta)
    assert sign * tokens_bias(law, BUDGETS, 1e24) > 0.01


def test_equal_exponents_have_no_bias():
    """A bias that comes from the code: the curve is even in the log."""
    law = ScalingLaw(**LIKE, alpha=0.3, beta=0.3)
    assert tokens_bias(law, BUDGETS, 1e24) == pytest.approx(0, abs=1e-9)


def test_the_bias_grows_with_the_span():
    """Runs far from the best size pull hardest."""
    law = ScalingLaw(**LIKE, alpha=0.35, beta=0.46)
    near, far = (
        tokens_bias(law, BUDGETS, 1e24, span=float(s)) for s in (2, 16)
    )
    assert 0 < near < 0.01 < far


def test_the_bias_of_a_narrow_span_is_that_of_the_third_derivative():
    """The sign or the factor of the formula that the page derives: the log
    of the tokens is off by a tenth of (beta - alpha) w^2."""
    law = ScalingLaw(**LIKE, alpha=0.35, beta=0.46)
    span = 1.5
    bias = tokens_bias(law, BUDGETS, 1e24, span=span, n=2001)
    formula = (law.beta - law.alpha) * np.log(span) ** 2 / 10
    assert np.log1p(bias) == pytest.approx(formula, rel=0.01)


def test_centred_grids_leave_the_exponent_right():
    """The bias of a centred grid is the same factor at every budget."""
    groups = [equal_flops(CHINCHILLA, flops) for flops in BUDGETS]
    found = trend(groups)
    assert found.n_tokens.exponent == pytest.approx(CHINCHILLA.tokens_exponent)


def test_a_drifting_grid_bends_the_exponent():
    """Sizes chosen before the best is known: the error grows with each power
    of ten that the trend is continued."""
    law = ScalingLaw(**LIKE, alpha=0.35, beta=0.46)
    drift = [3.0, 1.7, 1.0, 0.6, 0.33]
    far, farther = (
        tokens_bias(law, BUDGETS, target, off_centre=drift)
        for target in (1e22, 1e25)
    )
    assert abs(farther) > abs(far) > 0


def test_budgets_are_told_apart():
    """Rounded steps make budgets differ by a thousandth."""
    groups = [equal_flops(CHINCHILLA, flops, n=3) for flops in (2e17, 1e17)]
    mixed = Runs(
        n_parameters=np.concatenate([g.n_parameters for g in groups]),
        n_tokens=np.concatenate([g.n_tokens for g in groups]) * 1.001,
        loss=np.concatenate([g.loss for g in groups]),
    )
    cheap, dear = budgets_of(mixed)
    assert cheap.flops == pytest.approx([1.001e17] * 3)
    assert dear.flops == pytest.approx([2.002e17] * 3)


def test_what_has_no_vertex_is_refused():
    """The highest point of a parabola that opens downwards, as the best."""
    with pytest.raises(ValueError, match="opens downwards"):
        vertex(parabolic(1e15, 3e6, bend=-0.1))
    good = parabolic(1e15, 3e6)
    with pytest.raises(ValueError, match="2 sizes"):
        vertex(good.take(np.array([0, 1])))
    mixed = Runs(
        n_parameters=good.n_parameters,
        n_tokens=good.n_tokens * np.linspace(1, 2, 7),
        loss=good.loss,
    )
    with pytest.raises(ValueError, match="one budget"):
        vertex(mixed)
    with pytest.raises(ValueError, match="two or more"):
        power_law(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="span is 1"):
        equal_flops(CHINCHILLA, 1e17, span=1.0)
    with pytest.raises(ValueError, match="one for each"):
        tokens_bias(CHINCHILLA, BUDGETS, 1e24, off_centre=[1.0])
