"""One copy of each document.

Every document gets a few keys: one of its normalised text, which equal copies
share, and one for each band of its MinHash signature, in some of which near
copies meet. Whoever shares a key is linked, and of the documents that links
connect one stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Int64, UInt32, UInt64
from tqdm import tqdm

from scratchlm.foundation.arguments import not_one_string, one_of
from scratchlm.foundation.parallel import batches, n_workers, ordered_map
from scratchlm.text.deduplication.buckets import (
    NO_BUCKET,
    Pairs,
    band_keys,
    bucket_links,
    link_verified,
)
from scratchlm.text.deduplication.clusters import UnionFind
from scratchlm.text.deduplication.exact import exact_keys
from scratchlm.text.deduplication.minhash import (
    distinct,
    jaccard,
    sign,
    text_blocks,
)
from scratchlm.text.deduplication.shingles import Shingles, Unit, shingle

Keep: TypeAlias = Literal["first", "longest"]


@dataclass(frozen=True, kw_only=True)
class DedupConfig:
    """What counts as a duplicate, and which copy stays.

    Args:
        near: find near-duplicates too, not only equal texts.
        shingle: units in a shingle.
        unit: ``words``, or ``characters`` where no space parts words.
        bands: bands of the signature, of which one has to agree.
        rows: values in a band; documents of similarity ``(1 / bands) **
            (1 / rows)`` meet with a probability of about 0.64.
        verify: link only those whose exact Jaccard similarity reaches
            ``threshold``. Needs 16 bytes of memory a word.
        threshold: for ``verify``.
        keep: the ``first`` of a cluster, or the ``longest``, which does not
            depend on the order of the documents.
        seed: of the permutations.

    Raises:
        ValueError: a number or a name is out of range.

    Source: the defaults are those of Penedo et al. 2024, "The FineWeb
    Datasets", section 3.4: 5 words, 14 bands of 8.
    """

    near: bool = True
    shingle: int = 5
    unit: Unit = "words"
    bands: int = 14
    rows: int = 8
    verify: bool = False
    threshold: float = 0.75
    keep: Keep = "first"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("shingle", 1),
            ("bands", 1),
            ("rows", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value}; give {least} or more")
        if not 0 < self.threshold <= 1:
            raise ValueError(
                f"threshold is {self.threshold}; a similarity lies above 0 "
                "and is at most 1"
            )
        one_of("keep", self.keep, get_args(Keep))
        one_of("unit", self.unit, get_args(Unit))


@dataclass(frozen=True, kw_only=True)
class DedupReport:
    """How many documents came and went.

    Args:
        documents: that came.
        exact: dropped, since an earlier one is equal when normalised.
        near: dropped beyond those.
        kept: that stay.
        clusters: groups of two or more.
        largest: documents in the largest group.
    """

    documents: int
    exact: int
    near: int
    kept: int
    clusters: int
    largest: int


@dataclass(frozen=True, kw_only=True)
class Deduplicated:
    """Which documents stay.

    Args:
        kept: numbers of the documents that stay, rising.
        cluster: for each document the number of the first one of its group.
        report: the counts.
    """

    kept: Int64[np.ndarray, "n_kept"]
    cluster: Int64[np.ndarray, "n_docs"]
    report: DedupReport


@dataclass(frozen=True)
class Prints:
    """What is remembered of documents.

    Args:
        keys: of the normalised text, then of each band.
        sizes: characters.
        sets: the distinct shingles, where ``verify`` needs them.
    """

    keys: UInt64[np.ndarray, "n_docs n_keys"]
    sizes: Int64[np.ndarray, "n_docs"]
    sets: Shingles | None = None


def deduplicate(
    texts: Iterable[str],
    config: DedupConfig | None = None,
    *,
    workers: int | None = 1,
    progress: bool = False,
) -> Deduplicated:
    """Find the duplicates of a corpus, and say which documents stay.

    The texts are read once and not kept; a second reading with ``kept``
    writes what stays.

    Args:
        texts: the documents.
        config: what counts as a duplicate; None takes the defaults.
        workers: processes; None takes one per core. The result is the same.
        progress: show a progress bar.

    Raises:
        ValueError: ``texts`` is one string, or fewer than 1 worker.

    Source: Broder 1997, "On the Resemblance and Containment of Documents";
    Lee et al. 2022, "Deduplicating Training Data Makes Language Models
    Better".
    """
    not_one_string(texts)
    config = config or DedupConfig()
    parts: list[Prints] = []
    work = ordered_map(
        partial(fingerprint, config=config), batches(texts), n_workers(workers)
    )
    with tqdm(unit=" docs", disable=not progress) as bar:
        for part in work:
            parts.append(part)
            bar.update(len(part.keys))
    return resolve(_joined(parts, config), config)


def fingerprint(texts: Sequence[str], config: DedupConfig) -> Prints:
    """Reduce each text to what finds its duplicates."""
    keys = exact_keys(texts)
    keys = np.maximum(keys, NO_BUCKET + 1)[:, None]
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    if not config.near:
        return Prints(keys, sizes)
    signed, sets = [_no_signature(config)], [_no_set()]
    for block in text_blocks(texts):
        found = shingle(block, config.shingle, config.unit)
        signed.append(sign(found, config.bands * config.rows, config.seed))
        if config.verify:
            sets.append(distinct(found))
    bands = band_keys(np.concatenate(signed), config.bands, config.rows)
    return Prints(
        np.concatenate([keys, bands], 1),
        sizes,
        join_sets(sets) if config.verify else None,
    )


def resolve(prints: Prints, config: DedupConfig) -> Deduplicated:
    """Link the documents that share a key, and choose one of each cluster."""
    keys = prints.keys
    union = UnionFind(len(keys))
    if prints.sets is None:
        links = bucket_links(keys)
        union.link(links[:, 0], links[:, 1])
    else:
        links = bucket_links(keys[:, :1])
        union.link(links[:, 0], links[:, 1])
        similar = partial(_similar, prints.sets, config.threshold)
        link_verified(keys[:, 1:], similar, union)
    cluster = union.labels()
    kept = choose(cluster, prints, config)
    sizes = np.bincount(cluster, minlength=1)
    exact = len(keys) - len(np.unique(keys[:, 0]))
    report = DedupReport(
        documents=len(keys),
        exact=exact,
        near=len(keys) - len(kept) - exact,
        kept=len(kept),
        clusters=int((sizes > 1).sum()),
        largest=int(sizes.max()),
    )
    return Deduplicated(kept=kept, cluster=cluster, report=report)


def choose(
    cluster: Int64[np.ndarray, "n_docs"], prints: Prints, config: DedupConfig
) -> Int64[np.ndarray, "n_kept"]:
    """One document of each cluster, by the rule of the configuration.

    Of equally long ones the least key of the normalised text decides, so
    that no order of the documents does.
    """
    if config.keep == "first":
        return np.unique(cluster)
    order = np.lexsort((prints.keys[:, 0], -prints.sizes, cluster))
    _, first = np.unique(cluster[order], return_index=True)
    return np.sort(order[first])


def join_sets(parts: Sequence[Shingles]) -> Shingles:
    """Put the sets of several batches one after another."""
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    hashes = np.concatenate([part.hashes for part in parts])
    return Shingles(hashes, np.append(0, np.cumsum(counts)).astype(np.int64))


def _joined(parts: Sequence[Prints], config: DedupConfig) -> Prints:
    empty = fingerprint([], config)
    every = [empty, *parts]
    sets = [part.sets for part in every if part.sets is not None]
    return Prints(
        np.concatenate([part.keys for part in every]),
        np.concatenate([part.sizes for part in every]),
        join_sets(sets) if sets else None,
    )


def _similar(
    sets: Shingles, threshold: float, pairs: Pairs
) -> Bool[np.ndarray, "n_pairs"]:
    return jaccard(sets, pairs) >= threshold


def _no_signature(config: DedupConfig) -> UInt32[np.ndarray, "0 n_hashes"]:
    return np.empty((0, config.bands * config.rows), np.uint32)


def _no_set() -> Shingles:
    return Shingles(np.empty(0, np.uint64), np.zeros(1, np.int64))
