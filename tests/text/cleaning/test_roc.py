"""ROC: equal to counting pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.cleaning.roc import auc, roc_curve

PAIRS = st.lists(
    st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30
).filter(lambda pairs: len({good for _, good in pairs}) == 2)


def arrays(pairs):
    scores = np.array([float(score) for score, _ in pairs])
    return scores, np.array([good for _, good in pairs])


@given(PAIRS)
def test_area_equals_pairs(pairs):
    """Ties that count for whichever came first in the input."""
    scores, good = arrays(pairs)
    wins = [
        (a > b) + (a == b) / 2 for a in scores[good] for b in scores[~good]
    ]
    assert auc(scores, good) == pytest.approx(np.mean(wins))


@given(PAIRS)
def test_each_point_is_a_threshold(pairs):
    """A curve that misses its ends, or steps inside a tie."""
    scores, good = arrays(pairs)
    false, true = roc_curve(scores, good)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    thresholds = sorted(set(scores), reverse=True)
    assert len(false) == len(thresholds) + 1
    for place, threshold in enumerate(thresholds, 1):
        passed = scores >= threshold
        assert false[place] == passed[~good].mean()
        assert true[place] == passed[good].mean()


def test_the_extremes():
    """The sides of the curve exchanged."""
    good = np.array([True, True, False])
    assert auc(np.array([3.0, 2.0, 1.0]), good) == 1
    assert auc(np.array([1.0, 2.0, 3.0]), good) == 0
    assert auc(np.zeros(3), good) == 0.5


@pytest.mark.parametrize(
    ("scores", "good"),
    [([1.0], [True]), ([1.0], [False]), ([], []),
     ([1.0, float("nan")], [True, False])],
)  # fmt: skip
def test_bad_input_is_named(scores, good):
    """A division by zero that becomes a score."""
    with pytest.raises(ValueError, match="both kinds"):
        auc(np.array(scores, float), np.array(good, bool))
