"""A quality classifier: hashed n-grams and logistic regression."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from scratchlm.text.cleaning.quality_file import (
    read_classifier,
    write_classifier,
)


@dataclass(frozen=True, kw_only=True)
class HashedNgrams:
    """Turns a text into a sparse vector of unit length.

    Each distinct n-gram of words adds one to
    the place that its CRC-32 names, so the vector is the same in every
    process; Python's own ``hash`` of a string is not.

    Args:
        n_features: places of the vector.
        orders: lengths of the n-grams in words.

    Raises:
        ValueError: there are no places, or n-grams of no words.

    Source: Weinberger et al. 2009, "Feature Hashing for Large Scale
    Multitask Learning".
    """

    n_features: int = 2**16
    orders: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if self.n_features < 1 or not self.orders or min(self.orders) < 1:
            raise ValueError(
                f"n_features is {self.n_features} and orders is "
                f"{self.orders}; give at least one place, and n-grams of at "
                "least one word"
            )

    def places(self, text: str) -> Int64[np.ndarray, "grams"]:
        """Where the distinct n-grams of a text fall, in rising order."""
        words = text.lower().split()
        grams = {
            " ".join(words[i : i + n])
            for n in self.orders
            for i in range(len(words) - n + 1)
        }
        codes = [zlib.crc32(gram.encode("utf-8", "replace")) for gram in grams]
        return np.sort(np.array(codes, np.int64) % self.n_features)

    def rows(self, texts: Iterable[str]) -> "SparseRows":
        """One row for each text."""
        places = [self.places(text) for text in texts]
        return SparseRows.of(places, self.n_features)


@dataclass(frozen=True, kw_only=True)
class SparseRows:
    """A matrix of which each row lists its columns; a value per entry.

    Args:
        row: the row of each entry, in rising order.
        column: the column of each entry.
        value: the value of each entry; entries of one place add up.
        shape: rows and columns.
    """

    row: Int64[np.ndarray, "entries"]
    column: Int64[np.ndarray, "entries"]
    value: Float64[np.ndarray, "entries"]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls, places: Sequence[Int64[np.ndarray, "_"]], n_columns: int
    ) -> "SparseRows":
        """Rows of unit length from the places that each counts."""
        rows, columns, values = [], [], []
        for index, found in enumerate(places):
            column, count = np.unique(found, return_counts=True)
            rows.append(np.full(len(column), index))
            columns.append(column)
            values.append(count / max(1.0, float(np.linalg.norm(count))))
        return cls(
            row=np.concatenate([np.zeros(0, np.int64), *rows]),
            column=np.concatenate([np.zeros(0, np.int64), *columns]),
            value=np.concatenate([np.zeros(0), *values]),
            shape=(len(places), n_columns),
        )

    def times(
        self, vector: Float64[np.ndarray, "columns"]
    ) -> Float64[np.ndarray, "rows"]:
        """The matrix times a column."""
        products = self.value * vector[self.column]
        return _sums(products, self.row, self.shape[0])

    def transposed_times(
        self, vector: Float64[np.ndarray, "rows"]
    ) -> Float64[np.ndarray, "columns"]:
        """The transposed matrix times a column."""
        products = self.value * vector[self.row]
        return _sums(products, self.column, self.shape[1])


def _sums(
    values: Float64[np.ndarray, "entries"],
    places: Int64[np.ndarray, "entries"],
    n: int,
) -> Float64[np.ndarray, "_"]:
    """The sum of the values at each of n places."""
    sums = np.bincount(places, values, n)
    return sums.astype(np.float64, copy=False)  # of no entry: integers


@dataclass(frozen=True, kw_only=True)
class QualityClassifier:
    """Says how likely a text is one of the good ones.

    ``Rule(name="classifier",
    measure=classifier.probability, low=0.5)`` makes a step of it.

    Args:
        features: from a text to its vector.
        weights: one for each place of the vector.
        bias: what is added to every score.
    """

    features: HashedNgrams
    weights: Float64[np.ndarray, "columns"]
    bias: float

    @classmethod
    def train(
        cls,
        good: Sequence[str],
        bad: Sequence[str],
        *,
        features: HashedNgrams | None = None,
        penalty: float = 1e-4,
        steps: int = 300,
    ) -> "QualityClassifier":
        """Fit it to examples; equal examples give an equal classifier.

        Args:
            good: texts like those wanted.
            bad: texts like those unwanted.
            features: how a text becomes a vector.
            penalty: on half the squared length of the weights.
            steps: of gradient descent, each over all examples.

        Raises:
            ValueError: one kind of example is missing.
        """
        if not good or not bad:
            raise ValueError(
                f"{len(good)} good and {len(bad)} bad texts; give both kinds"
            )
        features = features or HashedNgrams()
        rows = features.rows([*good, *bad])
        labels = np.repeat([1.0, 0.0], [len(good), len(bad)])
        weights, bias = fit_logistic(
            rows, labels, penalty=penalty, steps=steps
        )
        return cls(features=features, weights=weights, bias=bias)

    def save(self, path: str | Path) -> None:
        """Write it to one file, whole or not at all.

        Args:
            path: an ``.npz`` file; what is there is replaced.

        Raises:
            ValueError: the folder does not exist, or ``path`` is a folder.
        """
        write_classifier(
            Path(path),
            weights=self.weights,
            bias=self.bias,
            orders=self.features.orders,
        )

    @classmethod
    def load(cls, path: str | Path) -> "QualityClassifier":
        """Read what :meth:`save` wrote; nothing in it is executed.

        Raises:
            ValueError: the file is missing, damaged, or no such file; the
                message names it.
        """
        weights, bias, orders = read_classifier(Path(path))
        features = HashedNgrams(n_features=len(weights), orders=orders)
        return cls(features=features, weights=weights, bias=bias)

    def logits(self, texts: Iterable[str]) -> Float64[np.ndarray, "texts"]:
        """The log-odds that each text is good."""
        rows = self.features.rows(texts)
        return rows.times(self.weights) + self.bias

    def probability(self, text: str) -> float:
        """How likely the text is good, from 0 to 1."""
        logit = float(self.logits([text])[0])
        return 1 / (1 + float(np.exp(-logit)))


def fit_logistic(
    rows: SparseRows,
    labels: Float64[np.ndarray, "rows"],
    *,
    penalty: float = 1e-4,
    steps: int = 300,
) -> tuple[Float64[np.ndarray, "columns"], float]:
    """Minimise the mean logistic loss by accelerated gradient descent.

    The step is not tuned: with rows of unit
    length and a bias the loss curves at most 1/2 + penalty. All rows in every
    step, from zero, so the result depends on no seed.

    Args:
        rows: one row for each example, none longer than 1.
        labels: 1 for good and 0 for bad.
        penalty: on half the squared length of the weights; the bias is free.
        steps: how many.

    Returns:
        The weights and the bias.

    Source: Nesterov 1983, "A method of solving a convex programming problem
    with convergence rate O(1/k^2)".
    """
    step_size = 1 / (0.5 + penalty)
    # The last entry is the bias.
    now = np.zeros(rows.shape[1] + 1)
    ahead = now
    for step in range(steps):
        logits = rows.times(ahead[:-1]) + ahead[-1]
        error = (_sigmoid(logits) - labels) / len(labels)
        slope = rows.transposed_times(error) + penalty * ahead[:-1]
        before = now
        now = ahead - step_size * np.append(slope, error.sum())
        ahead = now + step / (step + 3) * (now - before)
    return now[:-1], float(now[-1])


def _sigmoid(
    logits: Float64[np.ndarray, "rows"],
) -> Float64[np.ndarray, "rows"]:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)
