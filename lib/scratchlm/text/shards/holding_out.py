"""Which documents training never sees."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Int, UInt64

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.deduplication.exact import text_key
from scratchlm.text.shards.shuffle import mix


def held_out(
    texts: Iterable[str],
    fraction: float,
    *,
    seed: int = 0,
    cluster: Int[np.ndarray, "n_docs"] | None = None,
) -> Bool[np.ndarray, "n_docs"]:
    """Choose whole documents for validation, each by its own text.

    Rows are no unit to hold out: a row begins in the middle of a document
    whose other rows would be trained on. The choice depends on the text
    alone, without case and white space, so that copies stay together, and a
    document stays where it is when others come or go.

    Args:
        texts: the documents, read once.
        fraction: of the different texts, on average; above 0 and below 1.
        seed: another seed holds out others.
        cluster: for each document the number of the first of its group, as
            :func:`scratchlm.text.deduplication.pipeline.deduplicate` finds
            it; near copies stay together too.

    Returns:
        True for each document that is held out.

    Raises:
        ValueError: ``texts`` is one string, the fraction or the seed is out
            of range, or ``cluster`` is of other documents.
    """
    not_one_string(texts)
    if not 0 < fraction < 1:
        raise ValueError(
            f"fraction is {fraction}; give a number above 0 and below 1"
        )
    if not 0 <= seed < 1 << 64:
        raise ValueError(
            f"seed is {seed}; give a whole number from 0 to 2**64-1"
        )
    keys = np.fromiter(map(text_key, texts), np.uint64)
    if cluster is not None:
        if len(cluster) != len(keys):
            raise ValueError(
                f"cluster is of {len(cluster)} documents, and these are "
                f"{len(keys)}; give that of the same documents"
            )
        keys = keys[cluster]
    return _below(keys, fraction, seed)


def _below(
    keys: UInt64[np.ndarray, "n_docs"], fraction: float, seed: int
) -> Bool[np.ndarray, "n_docs"]:
    """Whether each key, scrambled with the seed, falls into the fraction."""
    salt = mix(np.full(len(keys), seed, np.uint64))
    return np.asarray(mix(keys ^ salt) < np.uint64(int(fraction * 2.0**64)))
