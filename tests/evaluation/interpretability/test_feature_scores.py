import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from scratchlm.evaluation.interpretability.feature_scores import (
    best_detectors,
    detected,
    f1_intervals,
    precision_recall_f1,
    random_directions,
)


@pytest.fixture
def items():
    draws = torch.Generator().manual_seed(0)
    truth = torch.rand(500, 3, generator=draws) < 0.2
    return torch.rand(500, 6, generator=draws), truth


def test_a_planted_feature_is_chosen(items):
    features, truth = items
    features[:, 4] = 3 + 2.0 * truth[:, 1]
    chosen = best_detectors(features, truth)
    assert int(chosen.feature[1]) == 4
    assert chosen.f1[1] == 1
    assert torch.equal(detected(chosen, features)[:, 1], truth[:, 1])
    assert chosen.f1[0] < 0.5


def test_the_score_of_the_choice_is_its_own(items):
    features, truth = items
    chosen = best_detectors(features, truth)
    said = detected(chosen, features)
    f1 = precision_recall_f1(said, truth)[2]
    torch.testing.assert_close(f1, chosen.f1)


def test_scores_are_those_of_scikit_learn(items):
    features, truth = items
    said = features[:, :3] > 0.7
    theirs = precision_recall_fscore_support(
        truth.numpy(), said.numpy(), zero_division=0
    )
    np.testing.assert_allclose(
        precision_recall_f1(said, truth), theirs[:3], rtol=1e-5
    )


def test_nothing_said_is_zero():
    none, all_ = torch.zeros(4, 1).bool(), torch.ones(4, 1).bool()
    assert not precision_recall_f1(none, all_).any()


def test_intervals_enclose_the_score(items):
    features, truth = items
    said = truth ^ (features[:, :3] > 0.9)
    f1 = precision_recall_f1(said, truth)[2].numpy()
    low, high = f1_intervals(said, truth, torch.arange(500) // 5)
    assert (low < f1).all()
    assert (f1 < high).all()
    assert (high - low < 0.3).all()


def test_random_directions_have_unit_length():
    read = random_directions(torch.eye(5), 7)
    torch.testing.assert_close(read.norm(dim=0), torch.ones(7))


def test_rows_must_match(items):
    features, truth = items
    with pytest.raises(ValueError, match="same items"):
        best_detectors(features[:3], truth)
