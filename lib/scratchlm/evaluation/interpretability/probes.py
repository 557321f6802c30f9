"""What a linear map can read from activations, and what that proves."""

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from scratchlm.evaluation.uncertainty.statistics import Interval, mean_interval


class LinearProbe:
    """Multinomial logistic regression on standardised activations.

    Args:
        x: activations of the training items.
        labels: of each item, from 0.
        n_classes: labels are below this.
        penalty: of the squared weights, times one half.

    Raises:
        ValueError: there are not as many labels as items, or a label is out
            of range.
    """

    def __init__(
        self,
        x: Float[Tensor, "n D"],
        labels: Int64[np.ndarray, " _"],
        n_classes: int,
        *,
        penalty: float = 1e-2,
    ):
        if len(x) != len(labels) or not len(x):
            raise ValueError(
                f"{len(labels)} labels for {len(x)} items; give one each, and "
                "at least one item"
            )
        if labels.min() < 0 or labels.max() >= n_classes:
            raise ValueError(
                f"labels from {labels.min()} to {labels.max()}, and there are "
                f"{n_classes} classes; number them from 0"
            )
        self.mean, self.scale = x.mean(0), x.std(0, correction=0) + 1e-6
        self.weight = torch.zeros(n_classes, x.shape[1], requires_grad=True)
        self.bias = torch.zeros(n_classes, requires_grad=True)
        self._fit((x - self.mean) / self.scale, torch.tensor(labels), penalty)

    def _fit(self, x: Tensor, y: Tensor, penalty: float) -> None:
        parts = [self.weight, self.bias]
        solver = torch.optim.LBFGS(
            parts, max_iter=60, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            solver.zero_grad()
            logits = F.linear(x, self.weight, self.bias)
            shrunk = penalty / 2 * self.weight.square().sum()
            value = F.cross_entropy(logits, y) + shrunk
            value.backward()  # type: ignore[no-untyped-call]
            return value

        solver.step(loss)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def predict(self, x: Float[Tensor, "n D"]) -> Int64[np.ndarray, " n"]:
        """Return the likeliest label of each item."""
        x = (x - self.mean) / self.scale
        return F.linear(x, self.weight, self.bias).argmax(-1).numpy()


def accuracy(
    probe: LinearProbe,
    x: Float[Tensor, "n D"],
    labels: Int64[np.ndarray, " n"],
    *,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """Return the share of held-out items that a probe gets right.

    Args:
        probe: fitted on other items.
        x: activations of the held-out ones.
        labels: their true ones.
        clusters: what each item was drawn with, as its document.
    """
    return mean_interval(probe.predict(x) == labels, clusters=clusters)


def control_labels(
    types: Sequence[Hashable], n_classes: int, *, seed: int = 0
) -> Int64[np.ndarray, " n"]:
    """Return a random label for each type, the same for all its items.

    A probe can learn these only by heart. What it scores on a real task
    above its score on this one is its *selectivity*.

    Args:
        types: what each item is, as its word.
        n_classes: labels to draw from, evenly.
        seed: decides which.

    Raises:
        ValueError: there are fewer than two classes.

    Source: Hewitt and Liang 2019, "Designing and Interpreting Probes with
    Control Tasks".
    """
    if n_classes < 2:
        raise ValueError(f"{n_classes} classes; a task needs at least 2")
    rng = np.random.default_rng(seed)
    drawn = {
        each: int(rng.integers(n_classes)) for each in dict.fromkeys(types)
    }
    return np.array([drawn[each] for each in types], np.int64)


def shuffled(
    labels: Int64[np.ndarray, " n"], *, seed: int = 0
) -> Int64[np.ndarray, " n"]:
    """Return the labels in random order, on which a probe is at chance.

    Args:
        labels: of the training items.
        seed: decides the order.
    """
    return np.random.default_rng(seed).permutation(labels)
