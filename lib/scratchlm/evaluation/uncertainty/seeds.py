"""What a score owes to the run, and what to the questions."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class Components:
    """Where the variance of a score over training runs and items comes from.

    Args:
        mean: over all runs and items.
        runs: variance of the runs' true scores, which another seed changes.
        items: variance of the items' difficulty.
        rest: what is left, the item's luck with a run.
        n_runs: trainings.
        n_items: questions or documents.
    """

    mean: float
    runs: float
    items: float
    rest: float
    n_runs: int
    n_items: int

    def standard_error(self, n_runs: int, n_items: int) -> float:
        """Return the error of a mean over other numbers of both.

        Args:
            n_runs: trainings.
            n_items: questions or documents.

        Raises:
            ValueError: a number is below 1.
        """
        if min(n_runs, n_items) < 1:
            raise ValueError(
                f"{n_runs} runs on {n_items} items; give one or more of each"
            )
        return sqrt(
            self.runs / n_runs
            + self.items / n_items
            + self.rest / (n_runs * n_items)
        )

    def difference_error(self, n_runs: int, n_items: int) -> float:
        """Return the error of a difference of two ways to train.

        Both are asked the same items, whose difficulty cancels, and each is
        trained with seeds of its own.

        Args:
            n_runs: trainings of each way.
            n_items: questions or documents.

        Raises:
            ValueError: a number is below 1.
        """
        alone = self.standard_error(n_runs, n_items)
        return sqrt(2 * max(0.0, alone**2 - self.items / n_items))


def components(scores: Float[np.ndarray, "runs n"]) -> Components:
    """Split the variance of scores by analysis of variance.

    Args:
        scores: of each training run on each item.

    Raises:
        ValueError: there are fewer than two runs or items, or a score is not
            finite.

    Source: Searle, Casella and McCulloch 1992, "Variance Components",
    section 4.3, for two crossed factors.
    """
    n_runs, n_items = scores.shape
    if min(n_runs, n_items) < 2:
        raise ValueError(
            f"{n_runs} runs on {n_items} items do not show the spread of "
            "both; give two or more of each"
        )
    if not np.isfinite(scores).all():
        run, item = np.argwhere(~np.isfinite(scores))[0].tolist()
        raise ValueError(
            f"run {run} scores {scores[run, item]} on item {item}; find out "
            "why"
        )
    mean = float(scores.mean())
    of_runs, of_items = scores.mean(1) - mean, scores.mean(0) - mean
    left = scores - mean - of_runs[:, None] - of_items
    freedom = (n_runs - 1) * (n_items - 1)
    rest = float((left**2).sum()) / freedom
    # A mean square of runs holds n_items of their variance and one rest.
    return Components(
        mean=mean,
        runs=max(
            0.0, float(of_runs @ of_runs) / (n_runs - 1) - rest / n_items
        ),
        items=max(
            0.0, float(of_items @ of_items) / (n_items - 1) - rest / n_runs
        ),
        rest=rest,
        n_runs=n_runs,
        n_items=n_items,
    )
