"""Laws found again from runs that follow them."""

import numpy as np
import pytest
from scipy.optimize import least_squares, nnls

from scratchlm.training.scaling_laws import (
    CHINCHILLA,
    Runs,
    ScalingLaw,
    bootstrap,
    fit_law,
    interval,
    nonnegative,
    without_noise,
)

SMALL = ScalingLaw(E=0.33, A=60.0, alpha=0.45, B=900.0, beta=0.5)
LAWS = [
    CHINCHILLA,
    SMALL,
    ScalingLaw(E=1.9, A=5.0, alpha=0.08, B=1e5, beta=0.9),
    ScalingLaw(E=0.0, A=60.0, alpha=0.3, B=60.0, beta=0.3),
]


def grid(sizes, horizons):
    axes = np.meshgrid(sizes, horizons)
    return [axis.ravel() for axis in axes]


def runs_of(law, noise=0.0, seed=0):
    sizes, tokens = grid(np.geomspace(1e4, 1e6, 5), np.geomspace(1e5, 1e7, 5))
    exact = without_noise(law, sizes, tokens)
    shifts = np.random.default_rng(seed).normal(0, noise, len(exact))
    return Runs(n_parameters=sizes, n_tokens=tokens, loss=exact.loss + shifts)


def numbers(law):
    return [law.E, law.A, law.alpha, law.B, law.beta]


@pytest.mark.parametrize("law", LAWS)
def test_a_known_law_is_found_again(law):
    """A search that stops in a valley of the five numbers: the losses fit to
    three digits, and the floor is off by a tenth."""
    fit = fit_law(runs_of(law))
    assert numbers(fit.law) == pytest.approx(numbers(law), rel=1e-6, abs=1e-6)
    assert fit.rms < 1e-9


def test_a_known_floor_is_kept():
    """A floor that is given and fitted all the same."""
    runs = runs_of(SMALL)
    right = fit_law(runs, floor=0.33)
    assert numbers(right.law) == pytest.approx(numbers(SMALL), rel=1e-6)
    wrong = fit_law(runs, floor=0.2)
    assert wrong.law.E == 0.2
    assert wrong.rms > 1e-3


def test_equals_a_search_over_all_five():
    """A projection that is not the least: a general search over the five
    numbers, started at the truth, must not come closer."""
    runs = runs_of(SMALL, noise=0.01)
    fit = fit_law(runs)

    def left(x):
        names = ["E", "A", "alpha", "B", "beta"]
        law = ScalingLaw(**dict(zip(names, np.exp(x), strict=True)))
        return law.loss(runs.n_parameters, runs.n_tokens) - runs.loss

    start = np.log(numbers(SMALL))
    found = least_squares(left, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    theirs = np.sqrt(np.mean(found.fun**2))
    assert fit.rms <= theirs * (1 + 1e-9)
    assert numbers(fit.law) == pytest.approx(np.exp(found.x), rel=1e-3)


def test_nonnegative_equals_scipy():
    """The best set of positive factors missed, where several are bound."""
    generator = np.random.default_rng(0)
    bound = 0
    for _ in range(200):
        n = int(generator.integers(1, 4))
        columns = generator.normal(size=(6, n))
        target = generator.normal(size=6)
        ours = nonnegative(columns, target)
        theirs, _ = nnls(columns, target)
        assert ours == pytest.approx(theirs, abs=1e-9)
        bound += (ours == 0).sum()
    assert bound > 50


def test_no_factor_is_negative():
    """Losses that rise with the size: a negative A fits best, and the law
    then promises a loss below its floor."""
    runs = runs_of(SMALL)
    rising = Runs(
        n_parameters=runs.n_parameters,
        n_tokens=runs.n_tokens,
        loss=1 + 0.1 * np.log(runs.n_parameters / 1e4),
    )
    law = fit_law(rising).law
    assert min(law.E, law.A, law.B) >= 0


def test_one_bad_run_does_not_bend_a_robust_fit():
    """Weights of the robust fit that stay at 1."""
    runs = runs_of(SMALL, noise=1e-4)
    loss = runs.loss.copy()
    loss[7] += 0.5
    spoiled = Runs(
        n_parameters=runs.n_parameters, n_tokens=runs.n_tokens, loss=loss
    )
    plain, robust = fit_law(spoiled).law, fit_law(spoiled, huber=1e-3).law
    assert abs(robust.E - SMALL.E) < 0.01
    assert abs(plain.E - SMALL.E) > 5 * abs(robust.E - SMALL.E)


def test_a_weight_of_zero_leaves_a_run_out():
    """Weights that are applied to the target and not to the columns."""
    runs = runs_of(SMALL)
    loss, weights = runs.loss.copy(), np.ones(len(runs))
    loss[3], weights[3] = 9.0, 0.0
    spoiled = Runs(
        n_parameters=runs.n_parameters, n_tokens=runs.n_tokens, loss=loss
    )
    law = fit_law(spoiled, weights=weights).law
    assert numbers(law) == pytest.approx(numbers(SMALL), rel=1e-6)


def test_the_bootstrap_covers_the_truth_and_repeats():
    """Draws without replacement: all laws are one, and the interval is a
    point."""
    runs = runs_of(SMALL, noise=0.01)
    floors = [law.E for law in bootstrap(runs, 40, seed=1)]
    low, high = interval(floors)
    assert low < 0.33 < high
    assert high - low > 1e-3
    again = [law.E for law in bootstrap(runs, 40, seed=1)]
    assert again == floors


def test_an_interval_holds_the_middle():
    """A level of 0.9 that cuts a tenth off each end."""
    low, high = interval([float(k) for k in range(101)])
    assert (low, high) == pytest.approx((5.0, 95.0))


def test_what_determines_no_law_is_refused():
    """Two sizes fit any alpha."""
    runs = runs_of(SMALL)
    two = runs.take(runs.n_parameters < 5e4)
    with pytest.raises(ValueError, match="2 sizes"):
        fit_law(two)
    with pytest.raises(ValueError, match="floor is -1"):
        fit_law(runs, floor=-1.0)
    with pytest.raises(ValueError, match="huber is 0"):
        fit_law(runs, huber=0.0)
    with pytest.raises(ValueError, match="weights are"):
        fit_law(runs, weights=-np.ones(len(runs)))
    with pytest.raises(ValueError, match="n is 1"):
        bootstrap(runs, 1)
    with pytest.raises(ValueError, match="level is 1"):
        interval([1.0], 1.0)
