"""Test items that a model has read before.

Who has the training text looks for the items in it. Who has only the model
can still ask whether it prefers the items in the order in which a test
publishes them. Nothing but having read the list in this order explains it,
if the order itself means nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr

from scratchlm.text.deduplication.decontamination import Decontaminator


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What a corpus contains of each test item.

    Args:
        shares: of each item's n-grams, the largest part that one document
            contains; -1 for an item that is too short to be looked for.
        documents: the document that contains so much; -1 where none does.
    """

    shares: Float[np.ndarray, " n"]
    documents: np.ndarray

    def seen(self, least: float = 0.5) -> np.ndarray:
        """Return which items the corpus contains, at least in such a part.

        Args:
            least: share of the n-grams, above 0.

        Raises:
            ValueError: it is not between 0 and 1.
        """
        if not 0 < least <= 1:
            raise ValueError(f"least is {least}; give a part, as 0.5")
        return self.shares >= least


def overlap(
    items: Iterable[str],
    corpus: Iterable[str],
    *,
    size: int = 13,
    shortest: int = 8,
) -> Overlap:
    """Return which test items stand in a corpus.

    Args:
        items: questions, best with their answers.
        corpus: training documents, read once.
        size: words of an n-gram.
        shortest: words of the shortest item that is looked for.

    Raises:
        ValueError: ``items`` or ``corpus`` is one string, or a size is out
            of range.

    Source: Brown et al. 2020, "Language Models are Few-Shot Learners",
    appendix C.
    """
    finder = Decontaminator(items, size, shortest)
    shares = np.zeros(finder.n_items)
    shares[finder.too_short] = -1
    documents = np.full(finder.n_items, -1)
    for found in finder.find(corpus):
        if found.share > shares[found.item]:
            shares[found.item] = found.share
            documents[found.item] = found.document
    return Overlap(shares=shares, documents=documents)


@dataclass(frozen=True, kw_only=True)
class OrderTest:
    """Whether a model prefers the published order of a test.

    Args:
        gains: of each shard, the log-probability of the published order less
            the mean of that of shuffled ones, in nats.
        t: their mean, in standard errors.
        p_value: how often a model that has not read the list has a ``t`` as
            large.
    """

    gains: Float[np.ndarray, " shards"]
    t: float
    p_value: float


def order_test(  # noqa: PLR0913
    log_probs: Callable[[list[str]], Float[np.ndarray, " _"]],
    items: Sequence[str],
    *,
    shard: int = 8,
    n_shuffles: int = 10,
    joined_by: str = "\n",
    seed: int = 0,
) -> OrderTest:
    """Test whether a model has read a list of items in their order.

    The list is cut into shards that fit into the context. For a model that
    has not read it, the published order of a shard is one among its equals,
    and its gain over shuffled ones is zero on average.

    Args:
        log_probs: of texts, in nats, under the model.
        items: in the order of publication, which must mean nothing: not
            sorted, by topic or by length. This cannot be seen from here.
        shard: items of a shard; those that are left over at the end are
            not used.
        n_shuffles: other orders of each shard.
        joined_by: what stands between two items.
        seed: of the shuffles.

    Raises:
        ValueError: there are fewer than two shards, a shard has fewer than
            two items, or a log-probability is not finite.

    Source: Oren et al. 2024, "Proving Test Set Contamination in Black-Box
    Language Models", the sharded test.
    """
    shards = [
        list(items[start : start + shard])
        for start in range(0, len(items) - shard + 1, max(1, shard))
    ]
    if shard < 2 or n_shuffles < 1 or len(shards) < 2:
        raise ValueError(
            f"{len(items)} items in shards of {shard}, {n_shuffles} shuffles; "
            "give two shards of two items or more, and one shuffle or more"
        )
    draws = np.random.default_rng(seed)
    orders = [
        order
        for _ in shards
        for order in (
            np.arange(shard),
            *(draws.permutation(shard) for _ in range(n_shuffles)),
        )
    ]
    texts = [
        joined_by.join(shards[i // (n_shuffles + 1)][j] for j in order)
        for i, order in enumerate(orders)
    ]
    found = np.asarray(log_probs(texts), np.float64)
    _check_finite(found, n_shuffles + 1)
    table = found.reshape(len(shards), n_shuffles + 1)
    gains = table[:, 0] - table[:, 1:].mean(1)
    t, p_value = _one_sided(gains)
    return OrderTest(gains=gains, t=t, p_value=p_value)


def _one_sided(gains: Float[np.ndarray, " shards"]) -> tuple[float, float]:
    """Return Student's t, and how often it is as large by chance."""
    error = float(gains.std(ddof=1)) / sqrt(len(gains))
    if error == 0:
        t = 0.0 if gains[0] == 0 else float(np.copysign(np.inf, gains[0]))
    else:
        t = float(gains.mean()) / error
    return t, float(stdtr(len(gains) - 1, -t))


def _check_finite(found: Float[np.ndarray, " _"], width: int) -> None:
    if not np.isfinite(found).all():
        place = int(np.argmin(np.isfinite(found)))
        raise ValueError(
            f"shard {place // width} has the log-probability {found[place]} "
            f"in order {place % width}; find out which item causes it"
        )
