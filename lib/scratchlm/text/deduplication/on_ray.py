"""One copy of each document, on a cluster with Ray Data.

The functions are those of one machine. Workers compute the keys of their
blocks; a shuffle brings equal keys together; this process joins the links,
which are far fewer than the documents; workers drop what they lead to.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scratchlm.foundation.arrays import Numbers
from scratchlm.foundation.extras import import_failure
from scratchlm.text.deduplication.buckets import NO_BUCKET, Pairs, bucket_links
from scratchlm.text.deduplication.clusters import UnionFind
from scratchlm.text.deduplication.pipeline import (
    DedupConfig,
    Prints,
    choose,
    fingerprint,
    resolve,
)

if TYPE_CHECKING:
    from ray.data import Dataset

RowBatch = dict[str, Any]


class Columns(NamedTuple):
    """The names of the columns that hold a document.

    Args:
        text: the column of the texts.
        id: of distinct integers; the least of a cluster counts as the first.
    """

    text: str = "text"
    id: str = "id"


def deduplicate_dataset(
    dataset: "Dataset",
    config: DedupConfig | None = None,
    *,
    columns: Columns | None = None,
    partitions: int = 64,
) -> "Dataset":
    """Drop the duplicates of a Ray dataset, as ``deduplicate`` would.

    Args:
        dataset: rows with a text and an integer that identifies it. It is
            read three times, so write it to files first if it is costly.
        config: what counts as a duplicate; None takes the defaults.
        columns: where the text and the id stand.
        partitions: parts of the shuffle, each of which has to fit one
            worker: a document has ``bands + 1`` rows of 24 bytes there.

    Returns:
        The rows that stay, with all their columns.

    Raises:
        ValueError: Ray is not installed, a column is missing, or there are
            fewer than 1 partitions.

    Source: Moritz et al. 2018, "Ray: A Distributed Framework for Emerging AI
    Applications".
    """
    _require_ray()
    config, columns = config or DedupConfig(), columns or Columns()
    _check(dataset, columns, partitions)
    links = _links(dataset, config, columns, partitions)
    ids, cluster = _clusters(links)
    if config.verify:
        links = _verified_links(
            dataset, config, columns, (ids, cluster), partitions
        )
        ids, cluster = _clusters(links)
    kept = _chosen(dataset, config, columns, (ids, cluster))
    dropped = np.setdiff1d(ids, kept, assume_unique=True)
    return dataset.map_batches(
        partial(_without, dropped, columns), batch_format="numpy"
    )


def _require_ray() -> None:
    try:
        import ray.data  # noqa: F401, PLC0415
    except ImportError as error:
        need = "deduplicating on a cluster needs Ray"
        otherwise = "use deduplicate, which needs one machine only"
        message = import_failure(need, "ray", error, otherwise)
        raise ValueError(message) from error


def _check(dataset: "Dataset", columns: Columns, partitions: int) -> None:
    if partitions < 1:
        raise ValueError(f"partitions is {partitions}; give 1 or more")
    names = dataset.columns() or []
    missing = [name for name in columns if name not in names]
    if names and missing:
        raise ValueError(
            f"the dataset has no column {missing}; it has {names}; name the "
            "columns of the text and of its id with Columns"
        )


def _links(
    dataset: "Dataset", config: DedupConfig, columns: Columns, partitions: int
) -> Pairs:
    """Pairs of documents that share a key, from a shuffle by key."""
    keys = dataset.select_columns(list(columns)).map_batches(
        partial(_key_rows, config, columns, partitions), batch_format="numpy"
    )
    groups = keys.groupby("partition", num_partitions=partitions)
    return _pairs_of(groups.map_groups(_link_rows, batch_format="numpy"))


def _key_rows(
    config: DedupConfig, columns: Columns, partitions: int, batch: RowBatch
) -> RowBatch:
    """A row for each key of each document, with the part that gets it."""
    keys_only = replace(config, verify=False)
    keys = fingerprint(batch[columns.text].tolist(), keys_only).keys
    ids = np.repeat(batch[columns.id].astype(np.int64), keys.shape[1])
    flat = keys.ravel()
    used = flat != NO_BUCKET
    part = ((flat >> np.uint64(32)) % np.uint64(partitions)).astype(np.int64)
    return {
        "partition": part[used],
        "key": flat[used],
        "id": ids[used],
    }


def _link_rows(group: RowBatch) -> RowBatch:
    """Links between the documents of one part, each once."""
    order = np.argsort(group["id"], kind="stable")
    ids, keys = group["id"][order], group["key"][order].astype(np.uint64)
    links = np.unique(ids[bucket_links(keys[:, None])], axis=0)
    return {"left": links[:, 0], "right": links[:, 1]}


def _clusters(pairs: Pairs) -> tuple[Numbers, Numbers]:
    """The documents that any link names, and the least id of their set."""
    ids, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(-1, 2)
    union = UnionFind(len(ids))
    union.link(places[:, 0], places[:, 1])
    return ids, ids[union.labels()]


def _verified_links(
    dataset: "Dataset",
    config: DedupConfig,
    columns: Columns,
    found: tuple[Numbers, Numbers],
    partitions: int,
) -> Pairs:
    """Links that pass the test, found inside the clusters without it."""
    members = dataset.select_columns(list(columns)).map_batches(
        partial(_members, found, columns), batch_format="numpy"
    )
    groups = members.groupby("cluster", num_partitions=partitions)
    verify = partial(_verify_rows, config, columns)
    return _pairs_of(groups.map_groups(verify, batch_format="numpy"))


def _members(
    found: tuple[Numbers, Numbers], columns: Columns, batch: RowBatch
) -> RowBatch:
    ids, cluster = found
    mine = np.isin(batch[columns.id], ids)
    rows = {name: column[mine] for name, column in batch.items()}
    rows["cluster"] = cluster[np.searchsorted(ids, rows[columns.id])]
    return rows


def _verify_rows(
    config: DedupConfig, columns: Columns, group: RowBatch
) -> RowBatch:
    order = np.argsort(group[columns.id], kind="stable")
    texts, ids = group[columns.text][order], group[columns.id][order]
    result = resolve(fingerprint(texts.tolist(), config), config)
    linked = result.cluster != np.arange(len(ids))
    return {"left": ids[result.cluster[linked]], "right": ids[linked]}


def _chosen(
    dataset: "Dataset",
    config: DedupConfig,
    columns: Columns,
    found: tuple[Numbers, Numbers],
) -> Numbers:
    """One id of each cluster; only the longest needs another look."""
    if config.keep == "first":
        return np.unique(found[1])
    rows = _gathered(
        dataset.select_columns(list(columns)).map_batches(
            partial(_size_rows, found, columns), batch_format="numpy"
        ),
        ("id", "cluster", "size", "key"),
    )
    order = np.argsort(rows["id"])
    prints = Prints(
        rows["key"][order].astype(np.uint64)[:, None], rows["size"][order]
    )
    chosen = choose(rows["cluster"][order], prints, config)
    ids: Numbers = rows["id"][order][chosen]
    return ids


def _size_rows(
    found: tuple[Numbers, Numbers], columns: Columns, batch: RowBatch
) -> RowBatch:
    rows = _members(found, columns, batch)
    exact = DedupConfig(near=False)
    prints = fingerprint(rows[columns.text].tolist(), exact)
    return {
        "id": rows[columns.id].astype(np.int64),
        "cluster": rows["cluster"],
        "size": prints.sizes,
        "key": prints.keys[:, 0],
    }


def _without(dropped: Numbers, columns: Columns, batch: RowBatch) -> RowBatch:
    stays = ~np.isin(batch[columns.id], dropped)
    return {name: column[stays] for name, column in batch.items()}


def _pairs_of(rows: "Dataset") -> Pairs:
    found = _gathered(rows, ("left", "right"))
    return np.stack([found["left"], found["right"]], 1)


def _gathered(rows: "Dataset", names: tuple[str, ...]) -> RowBatch:
    """All rows of a small dataset, also where it has none."""
    batches = [
        batch
        for batch in rows.iter_batches(batch_format="numpy", batch_size=None)
        if len(batch) and len(batch[names[0]])
    ]
    return {
        name: np.concatenate([batch[name] for batch in batches] or [_NONE])
        for name in names
    }


_NONE: Numbers = np.empty(0, np.int64)
