"""The scores of a task, document by document."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from scratchlm.evaluation.uncertainty.statistics import (
    Interval,
    PairedDifference,
    mean_interval,
    paired_difference,
    proportion_interval,
)


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """What a model scores on each document of a task.

    Args:
        task: its name.
        metric: the score that is reported.
        chance: what guessing scores, below 1.
        grades: by metric, the score of each document.
        prompts: the hash of all that the model was asked.
        n_truncated: documents of which the model could not read all.
        n_dropped: tokens at the left that it could not read.
        clusters: what each document belongs to; nothing if None.
        groups: as the subject of each; none if None.

    Raises:
        ValueError: there are no documents, or not as many of all.
    """

    task: str
    metric: str
    chance: float
    grades: Mapping[str, Float[np.ndarray, " n"]]
    prompts: str
    n_truncated: int = 0
    n_dropped: int = 0
    clusters: tuple[Hashable, ...] | None = None
    groups: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.grade())
        if not n:
            raise ValueError(
                f"{self.task} was asked on no documents; a score needs some"
            )
        for name, each in (*self.grades.items(), ("clusters", self.clusters)):
            if each is not None and len(each) != n:
                raise ValueError(
                    f"{self.task} has {len(each)} {name} for {n} documents; "
                    "give one each"
                )

    def grade(self, metric: str | None = None) -> Float[np.ndarray, " n"]:
        """Return the score of each document.

        Args:
            metric: which; the one that is reported if None.

        Raises:
            ValueError: it was not measured.
        """
        name = metric or self.metric
        if name not in self.grades:
            raise ValueError(
                f"{self.task} has no {name!r}; it has "
                f"{', '.join(map(repr, self.grades))}"
            )
        return self.grades[name]

    def interval(
        self, metric: str | None = None, *, level: float = 0.95
    ) -> Interval:
        """Return the mean score over documents.

        It is Wilson's interval if documents are independent and each is
        right or wrong, and Student's otherwise.

        Args:
            metric: which; the one that is reported if None.
            level: of the interval.

        Raises:
            ValueError: the metric was not measured, or there are too few
                documents.
        """
        each = self.grade(metric)
        if self.clusters is None and np.isin(each, [0, 1]).all():
            return proportion_interval(int(each.sum()), len(each), level)
        return mean_interval(each, clusters=self.clusters, level=level)

    def centred(
        self, metric: str | None = None, *, level: float = 0.95
    ) -> Interval:
        """Return the score with guessing at 0 and all answers right at 1.

        Args:
            metric: which; the one that is reported if None.
            level: of the interval.
        """
        plain, room = self.interval(metric, level=level), 1 - self.chance
        return replace(
            plain,
            value=(plain.value - self.chance) / room,
            low=(plain.low - self.chance) / room,
            high=(plain.high - self.chance) / room,
            standard_error=plain.standard_error / room,
        )

    def against(
        self,
        other: "TaskScores",
        metric: str | None = None,
        *,
        level: float = 0.95,
    ) -> PairedDifference:
        """Return how much more this model scores than another.

        Args:
            other: its scores on the same documents.
            metric: which; the one that is reported if None.
            level: of the interval.

        Raises:
            ValueError: the two were asked something else.
        """
        if self.prompts != other.prompts:
            raise ValueError(
                f"{self.task} and {other.task} asked other prompts, of hash "
                f"{self.prompts[:12]} and {other.prompts[:12]}; compare runs "
                "on the same documents, examples and seed"
            )
        return paired_difference(
            self.grade(metric),
            other.grade(metric),
            clusters=self.clusters,
            level=level,
        )

    def of(self, group: str) -> "TaskScores":
        """Return the scores of one group, as a subject.

        Args:
            group: its name.

        Raises:
            ValueError: there is no such group.
        """
        groups = self.groups or ()
        at = [i for i, name in enumerate(groups) if name == group]
        if not at:
            names = ", ".join(sorted(set(groups))) or "none"
            raise ValueError(
                f"{self.task} has no group {group!r}; it has {names}"
            )
        clusters = self.clusters
        return replace(
            self,
            task=f"{self.task}: {group}",
            grades={name: each[at] for name, each in self.grades.items()},
            clusters=clusters and tuple(clusters[i] for i in at),
            groups=(group,) * len(at),
        )
