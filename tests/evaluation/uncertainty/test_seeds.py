"""Components of variance, by simulation with known truth."""

import numpy as np
import pytest

from scratchlm.evaluation.uncertainty import components, mean_interval


def drawn(draws, n_runs, n_items, truth):
    """Draw scores whose components are known."""
    runs, items, rest = truth
    return (
        runs**0.5 * draws.normal(size=(n_runs, 1))
        + items**0.5 * draws.normal(size=(1, n_items))
        + rest**0.5 * draws.normal(size=(n_runs, n_items))
    )


def test_each_component_is_found():
    """The rest left in the mean squares counts as a spread of runs."""
    draws, truth = np.random.default_rng(0), (0.3, 2.0, 1.0)
    found = [components(drawn(draws, 5, 40, truth)) for _ in range(400)]
    means = [np.mean([getattr(each, name) for each in found])
             for name in ("runs", "items", "rest")]  # fmt: skip
    assert means == pytest.approx(truth, rel=0.1)


def test_errors_are_those_of_new_runs_and_new_items():
    """The error of one run's score over items leaves out what another seed
    would change."""
    draws, truth = np.random.default_rng(1), (0.3, 2.0, 1.0)
    known = components(drawn(draws, 200, 200, truth))
    means = [drawn(draws, 3, 20, truth).mean() for _ in range(3000)]
    assert np.std(means) == pytest.approx(
        known.standard_error(3, 20), rel=0.15
    )
    gaps = []
    for _ in range(3000):
        items = 2**0.5 * draws.normal(size=20)
        both = [drawn(draws, 3, 20, (0.3, 0, 1.0)) + items for _ in range(2)]
        gaps.append(both[0].mean() - both[1].mean())
    assert np.std(gaps) == pytest.approx(
        known.difference_error(3, 20), rel=0.15
    )


def test_one_run_alone_has_the_error_of_its_items():
    """Without a spread of runs nothing is added to the error that a test
    shows by itself."""
    draws = np.random.default_rng(2)
    scores = drawn(draws, 2, 5000, (0.0, 1.0, 0.5))
    alone = mean_interval(scores[0]).standard_error
    found = components(scores)
    assert found.standard_error(1, 5000) == pytest.approx(alone, rel=0.1)
    assert found.mean == pytest.approx(scores.mean())


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (np.zeros((1, 5)), "1 runs on 5 items"),
        (np.zeros((5, 1)), "5 runs on 1 items"),
        (np.array([[0.0, 1.0], [0.0, np.inf]]), "run 1 scores inf on item 1"),
    ],
)
def test_a_table_without_a_spread_is_refused(scores, said):
    """One run, from which nothing follows about another."""
    with pytest.raises(ValueError, match=said):
        components(scores)


def test_a_plan_without_runs_is_refused():
    """Division by no run."""
    with pytest.raises(ValueError, match="0 runs on 5"):
        components(np.eye(3)).standard_error(0, 5)
