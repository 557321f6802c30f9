"""The one sequence of samples, and each rank's part of it.

Everything follows from the number of a sample: its corpus, its epoch, its row.
So the state of training data is one number, and it is the same for every rank
and for every number of ranks.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64

from scratchlm.text.shards.mixture import Mixture, Weight
from scratchlm.text.shards.rows import Batch, Rows
from scratchlm.text.shards.shuffle import mix, shuffled

AHEAD = 1 << 14  # samples put in order at a time; guessed: under 5 ms


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How rows become batches.

    Args:
        batch_size: rows of a step, over all ranks.
        seed: of the shuffle; each epoch has a shuffle of its own.
        shuffle: False takes the rows as they stand.
        weights: how much of each corpus, by its name; as
            :class:`scratchlm.text.shards.mixture.Mixture` takes them. None for
            equal parts.

    Raises:
        ValueError: ``batch_size`` is below 1, or ``seed`` below 0.
    """

    batch_size: int = 32
    seed: int = 0
    shuffle: bool = True
    weights: Mapping[str, Weight] | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(
                f"batch_size is {self.batch_size}; give 1 or more"
            )
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(
                f"seed is {self.seed}; give a whole number from 0 to 2**64-1"
            )


class Batches(Iterator[Batch]):
    """Batches without end, the same for the same seed.

    Step ``k`` takes the samples from ``k * batch_size`` on, and rank ``r``
    of ``W`` the ``r``-th of ``W`` equal parts of them::

        samples   0 1 2 3 4 5 6 7 | 8 9 ...
        W = 2     0 0 0 0 1 1 1 1 | 0 0 ...      the rank of each
        W = 4     0 0 1 1 2 2 3 3 | 0 0 ...

    A corpus starts again when its rows are used up, each time in another
    order, so no batch is ever short.

    Args:
        rows: of one corpus, or of each corpus by name; all of one length.
        config: how they become batches.
        rank: which process this is, from 0.
        world_size: how many there are.

    Raises:
        ValueError: the ranks cannot share a batch equally, or corpora and
            weights do not match.
    """

    def __init__(
        self,
        rows: Rows | Mapping[str, Rows],
        config: BatchConfig,
        *,
        rank: int = 0,
        world_size: int = 1,
    ):
        if not 0 <= rank < world_size:
            raise ValueError(
                f"rank is {rank} of {world_size}; ranks are 0 to "
                f"{world_size - 1}"
            )
        if config.batch_size % world_size:
            raise ValueError(
                f"{world_size} ranks cannot share {config.batch_size} rows "
                "equally; give a batch_size that is a multiple"
            )
        corpora = dict(rows) if isinstance(rows, Mapping) else {"": rows}
        self.config, self.rank, self.world_size = config, rank, world_size
        self.mixture = Mixture(_weights(corpora, config.weights))
        self.corpora = [corpora[name] for name in self.mixture.names]
        self._sizes = np.array([len(c) for c in self.corpora], np.int64)
        _check_corpora(corpora)
        self.samples_seen = 0
        self._block = (0, np.zeros((2, 0), np.int64))

    def __next__(self) -> Batch:
        part = self.config.batch_size // self.world_size
        start = self.samples_seen + self.rank * part
        batch = self.batch(start, start + part)
        self.samples_seen += self.config.batch_size
        return batch

    def batch(self, start: int, stop: int) -> Batch:
        """The samples from one number up to another, of any step."""
        corpora, numbers = self.order(start, stop)
        if len(self.corpora) == 1:
            return self.corpora[0].gather(numbers)
        places = [
            np.flatnonzero(corpora == c) for c in range(len(self.corpora))
        ]
        parts = [
            rows.gather(numbers[where])
            for rows, where in zip(self.corpora, places, strict=True)
        ]
        return _joined(parts, np.argsort(np.concatenate(places)))

    def order(self, start: int, stop: int) -> Int64[np.ndarray, "2 n"]:
        """Which rows the samples from one number up to another are.

        Returns:
            The corpus of each, and its row in that corpus.
        """
        begin, block = self._block
        if not begin <= start <= stop <= begin + block.shape[1]:
            begin, end = start, max(stop, start + AHEAD)
            self._block = begin, self._compute(np.arange(begin, end))
        begin, block = self._block
        return block[:, start - begin : stop - begin]

    def _compute(
        self, samples: Int64[np.ndarray, "n"]
    ) -> Int64[np.ndarray, "2 n"]:
        corpora, numbers = self.mixture.at(samples)
        sizes = self._sizes[corpora]
        epochs, rows = np.divmod(numbers, sizes)
        if self.config.shuffle:
            seeds = np.full(len(samples), self.config.seed, np.uint64)
            keys = mix(mix(seeds) + corpora.astype(np.uint64))
            keys = mix(keys + epochs.astype(np.uint64))
            for corpus, size in enumerate(self._sizes.tolist()):
                here = np.flatnonzero(corpora == corpus)
                rows[here] = shuffled(rows[here], size, keys[here])
        return np.stack([corpora, rows])

    @property
    def epochs(self) -> dict[str, float]:
        """How often each corpus has been gone through."""
        counts = self.mixture.counts(self.samples_seen)
        sizes = self._sizes.tolist()
        return {
            name: count / size
            for (name, count), size in zip(counts.items(), sizes, strict=True)
        }

    @property
    def fingerprint(self) -> str:
        """A hash of what determines the sequence of samples."""
        parts: list[object] = [self.config.seed, self.config.shuffle]
        for name, rows in zip(self.mixture.names, self.corpora, strict=True):
            parts += [name, rows.fingerprint]
        parts.append(self.mixture.counts(self.mixture.period))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on from here; the same on every rank.

        What was handed out counts as seen. Save it where the weights are
        saved, and it fits them.
        """
        return {
            "samples_seen": self.samples_seen,
            "fingerprint": self.fingerprint,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a run stopped, with any number of ranks.

        Raises:
            ValueError: the state is of other rows, weights or another seed.
        """
        try:
            seen, made_of = state["samples_seen"], state["fingerprint"]
        except KeyError as error:
            raise ValueError(
                f"the state lacks {error}; give what state_dict returned"
            ) from None
        if made_of != self.fingerprint:
            raise ValueError(
                "the state is of another sequence of samples: rows, seed, "
                "shuffle or weights differ. Give those with which it was "
                "saved, or begin without it"
            )
        if not isinstance(seen, int) or seen < 0:
            raise ValueError(f"samples_seen is {seen!r}; it counts samples")
        self.samples_seen = seen


def _weights(
    corpora: Mapping[str, Rows], weights: Mapping[str, Weight] | None
) -> Mapping[str, Weight]:
    if weights is None:
        weights = dict.fromkeys(corpora, 1)
    if set(weights) != set(corpora):
        raise ValueError(
            f"the corpora are {sorted(corpora)}, and the weights are for "
            f"{sorted(weights)}; give one weight for each"
        )
    return weights


def _check_corpora(corpora: Mapping[str, Rows]) -> None:
    lengths = {name: rows.n_tokens for name, rows in corpora.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"rows must be of one length; these are {lengths}")
    if len({rows.documents for rows in corpora.values()}) > 1:
        raise ValueError(
            "some corpora give the documents of their rows and some do not; "
            "make all ChoppedRows with documents=True"
        )
    for name, rows in corpora.items():
        if len(rows) == 0:
            raise ValueError(f"the corpus {name!r} has no rows; leave it out")


def _joined(parts: list[Batch], order: Int64[np.ndarray, "B"]) -> Batch:
    """Rows of several corpora, in the order of their samples."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])[order]
        for name in Batch._fields
        if getattr(parts[0], name) is not None
    }
    return Batch(**joined)
