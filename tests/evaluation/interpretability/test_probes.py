import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from scratchlm.evaluation.interpretability.probes import (
    LinearProbe,
    accuracy,
    control_labels,
    shuffled,
)
from scratchlm.evaluation.uncertainty.statistics import mean_interval


@pytest.fixture
def planted():
    """Three classes that a linear map can tell apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    x = rng.normal(size=(600, 8)) + 2.5 * np.eye(3, 8)[labels]
    return torch.tensor(x, dtype=torch.float32), labels


def test_what_is_there_is_found(planted):
    x, labels = planted
    probe = LinearProbe(x[:400], labels[:400], 3)
    assert accuracy(probe, x[400:], labels[400:]).low > 0.8


def test_shuffled_labels_are_at_chance(planted):
    """On the mean of many orders: of one order, clusters that happen to
    share a label lift or sink all of their items together."""
    x, labels = planted
    scores = []
    for seed in range(20):
        mixed = shuffled(labels[:400], seed=seed)
        probe = LinearProbe(x[:400], mixed, 3)
        scores.append(accuracy(probe, x[400:], labels[400:]).value)
    assert 1 / 3 in mean_interval(scores, level=0.99)
    assert sorted(shuffled(labels)) == sorted(labels)


def test_the_probe_is_that_of_scikit_learn(planted):
    x, labels = planted
    ours = LinearProbe(x, labels, 3, penalty=0.05)
    scaled = ((x - ours.mean) / ours.scale).numpy()
    theirs = LogisticRegression(C=1 / (0.05 * 600), tol=1e-8)
    theirs.fit(scaled, labels)
    np.testing.assert_allclose(ours.weight.detach(), theirs.coef_, atol=2e-3)


def test_control_labels_belong_to_types():
    types = ["a", "b", "a", "c", "b"] * 3
    labels = control_labels(types, 50)
    assert len({*zip(types, labels.tolist(), strict=True)}) == 3
    np.testing.assert_array_equal(labels, control_labels(types, 50))


def test_bad_labels(planted):
    x, labels = planted
    with pytest.raises(ValueError, match="one each"):
        LinearProbe(x, labels[:5], 3)
    with pytest.raises(ValueError, match="number them from 0"):
        LinearProbe(x, labels, 2)
    with pytest.raises(ValueError, match="at least 2"):
        control_labels(["a"], 1)
