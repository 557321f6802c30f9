"""How well a score tells two kinds apart, at every threshold at once."""

import numpy as np
from jaxtyping import Bool, Float64


def roc_curve(
    scores: Float64[np.ndarray, "n"], good: Bool[np.ndarray, "n"]
) -> tuple[Float64[np.ndarray, "points"], Float64[np.ndarray, "points"]]:
    """What a falling threshold lets through: bad, and good.

    Equal scores pass together.

    Args:
        scores: higher means better.
        good: which of them belong to the good.

    Returns:
        The share of the bad and the share of the good that pass, from
        (0, 0), where nothing passes, to (1, 1).

    Raises:
        ValueError: one kind is missing, or a score is not a number.
    """
    if good.all() or not good.any() or np.isnan(scores).any():
        raise ValueError(
            f"{int(good.sum())} of {len(good)} are good and "
            f"{int(np.isnan(scores).sum())} scores are no numbers; give both "
            "kinds, each with a score"
        )
    order = np.argsort(-scores, kind="stable")
    falling, kinds = scores[order], good[order]
    # The last place of each run of equal scores.
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    true = np.cumsum(kinds)[ends] / kinds.sum()
    false = np.cumsum(~kinds)[ends] / (~kinds).sum()
    zero = np.zeros(1)
    return np.append(zero, false), np.append(zero, true)


def auc(
    scores: Float64[np.ndarray, "n"], good: Bool[np.ndarray, "n"]
) -> float:
    """How often a good one scores above a bad one; a tie counts half.

    It is the area under the ROC curve.

    Args:
        scores: higher means better.
        good: which of them belong to the good.

    Raises:
        ValueError: one kind is missing, or a score is not a number.

    Source: Hanley and McNeil 1982, "The meaning and use of the area under a
    receiver operating characteristic (ROC) curve".
    """
    false, true = roc_curve(scores, good)
    widths, means = np.diff(false), (true[1:] + true[:-1]) / 2
    return float((widths * means).sum())
