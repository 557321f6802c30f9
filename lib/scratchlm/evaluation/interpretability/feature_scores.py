"""How well single features detect what is known to be true of a token."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scratchlm.evaluation.uncertainty.statistics import checked_level


@dataclass(frozen=True, kw_only=True)
class Detectors:
    """For each variable the feature that detects it best.

    Args:
        feature: its number.
        threshold: the variable is said to hold where the feature is above.
        f1: on the items that it was chosen on.
    """

    feature: Int[Tensor, " V"]
    threshold: Float[Tensor, " V"]
    f1: Float[Tensor, " V"]


def best_detectors(
    features: Float[Tensor, "n M"],
    truth: Bool[Tensor, "_ V"],
    *,
    n_thresholds: int = 6,
) -> Detectors:
    """Choose a feature and a threshold for each variable.

    The thresholds of a feature are zero and parts of its own largest value,
    the same parts for all features.

    Args:
        features: of each item.
        truth: which variables hold.
        n_thresholds: for each feature.

    Raises:
        ValueError: there are not as many rows of both, or none.
    """
    if len(features) != len(truth) or not len(truth):
        raise ValueError(
            f"{len(features)} rows of features and {len(truth)} of truth; "
            "give both for the same items, and at least one"
        )
    most = features.max(0).values.clamp(min=0)
    wanted = truth.float()
    n_true = wanted.sum(0)
    best = torch.full((truth.shape[1],), -1.0)
    which = torch.zeros(truth.shape[1], dtype=torch.long)
    above = torch.zeros(truth.shape[1])
    for part in torch.arange(n_thresholds) / n_thresholds:
        fired = (features > part * most).float()
        hits = fired.T @ wanted
        f1 = 2 * hits / (fired.sum(0)[:, None] + n_true).clamp(min=1)
        top, feature = f1.max(0)
        better = top > best
        best = torch.where(better, top, best)
        which = torch.where(better, feature, which)
        above = torch.where(better, part * most[feature], above)
    return Detectors(feature=which, threshold=above, f1=best)


def detected(
    detectors: Detectors, features: Float[Tensor, "n M"]
) -> Bool[Tensor, "n V"]:
    """Return what the chosen features say of other items.

    Args:
        detectors: chosen before.
        features: of each item.
    """
    return features[:, detectors.feature] > detectors.threshold


def precision_recall_f1(
    said: Bool[Tensor, "n V"], truth: Bool[Tensor, "n V"]
) -> Float[Tensor, "3 V"]:
    """Return precision, recall and their harmonic mean, by variable.

    What divides by nothing is zero.

    Args:
        said: what a detector says of each item.
        truth: what holds.
    """
    hits = (said & truth).sum(0).float()
    n_said, n_true = said.sum(0), truth.sum(0)
    return torch.stack(
        [
            hits / n_said.clamp(min=1),
            hits / n_true.clamp(min=1),
            2 * hits / (n_said + n_true).clamp(min=1),
        ]
    )


def f1_intervals(  # noqa: PLR0913
    said: Bool[Tensor, "n V"],
    truth: Bool[Tensor, "n V"],
    clusters: Int[Tensor, " n"],
    *,
    n_resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Float[np.ndarray, "2 V"]:
    """Return the ends of a bootstrap interval over clusters, by variable.

    Args:
        said: what a detector says of each item.
        truth: what holds.
        clusters: the document of each item, from 0.
        n_resamples: draws of documents.
        level: of the interval.
        seed: of the draws.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    n, tail = int(clusters.max()) + 1, (1 - checked_level(level)) / 2
    sums = torch.zeros(2, n, truth.shape[1])
    sums[0].index_add_(0, clusters, 2.0 * (said & truth))
    sums[1].index_add_(0, clusters, said.float() + truth.float())
    draws = np.random.default_rng(seed).multinomial(
        n, np.full(n, 1 / n), n_resamples
    )
    hits, sizes = torch.tensor(draws, dtype=torch.float32) @ sums
    f1 = (hits / sizes.clamp(min=1)).numpy()
    return np.quantile(f1, [tail, 1 - tail], axis=0)


def random_directions(
    x: Float[Tensor, "n D"], n_features: int, *, seed: int = 0
) -> Float[Tensor, "n M"]:
    """Return what random unit directions read, as a baseline.

    Args:
        x: activations, from which a mean has been taken.
        n_features: directions M.
        seed: decides which.
    """
    draws = torch.Generator().manual_seed(seed)
    directions = torch.randn(x.shape[1], n_features, generator=draws)
    return x @ (directions / directions.norm(dim=0))
